/** What the kernel says of the process at the other end of one connection, read once when it was accepted. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, as the kernel reports them for the connection. */
  readonly groups: readonly number[];
  /** 0 where the process lives in a pid namespace this daemon cannot see. */
  readonly pid: number;
  /** Path of the executable as /proc/PID/exe names it; null where it could not be read. */
  readonly exe: string | null;
  /** Device and inode of the running executable; null where it could not be read or the file was deleted. */
  readonly exeFile: FileIdentity | null;
  /** Unit of the system manager (cgroup outside user.slice); null where there is none. */
  readonly unit: string | null;
  /** Unit of the user manager that runs as this same uid; null where there is none. */
  readonly userUnit: string | null;
  /**
   * Which ids above are the kernel's stand-in (65534) for one that has no number in the daemon's user
   * namespace. Such an id matches no selector: it may be anybody's. Absent: both ids are real.
   */
  readonly unmapped?: { readonly uid: boolean; readonly gid: boolean };
}

export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * One entry of `callers:`, `admins:` and the like. All keys present must hold. User and group names have been
 * resolved to numbers when the file was loaded.
 */
export interface Selector {
  readonly uid?: number;
  readonly gid?: number;
  readonly exe?: string;
  readonly exeSha256?: string;
  readonly unit?: string;
  readonly userUnit?: string;
}
