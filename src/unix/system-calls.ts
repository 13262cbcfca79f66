import type { FileIdentity } from '../callers/caller.ts';

/**
 * The few system calls that Node has no word for, through koffi. Numbers are those of Linux's generic socket
 * ABI (x86-64, arm64, riscv64, s390x). Loaded at first use, so that a program that never attests anybody
 * starts without it. Every function is one call of a microsecond or so, and none blocks.
 */
export interface Native {
  /** SO_PEERCRED: the peer's ids when it called connect(), in this process's namespaces; pid 0 where invisible. */
  peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number };
  /** SO_PEERGROUPS: supplementary groups at connect(). */
  peerGroups(fd: number): number[];
  /** SO_PEERPIDFD (Linux 6.5): a pidfd of the process that called connect(), close-on-exec. */
  peerPidfd(fd: number): number | 'unsupported' | 'gone';
  /** pidfd_open (Linux 5.3). */
  pidfdOpen(pid: number): number | 'unsupported' | 'gone';
  /** False once the process behind a pidfd has exited, reaped or not. */
  pidfdAlive(pidfd: number): boolean;
  /**
   * Device and inode, from what the kernel has in memory: no file server is asked (AT_STATX_DONT_SYNC), so
   * that a caller running off a hung network or FUSE mount of its own can't stop the event loop. Null where
   * the path can't be resolved or reached.
   */
  identify(path: string): FileIdentity | null;
  /** The same look, with what changes when the content does. */
  version(path: string): FileVersion | null;
  /** Takes an exclusive flock without waiting; false where another open file holds it. */
  tryLock(fd: number): boolean;
  /** One integer socket option at SOL_SOCKET; null where `fd` is no socket. */
  socketOption(fd: number, option: number): number | null;
  /** A bound, not yet listening Unix stream socket, close-on-exec, its file created with at most `mode`. */
  bindUnix(path: string, mode: number): number;
  /** The path that a Unix socket is bound to; null for one without (or in the abstract namespace). */
  boundPath(fd: number): string | null;
  /**
   * The abstract name that the other end of a connected Unix socket is bound to, byte by byte (latin1) and without
   * the NUL before it; null for a path or none. Anybody can bind any name: it proves nothing by itself.
   */
  peerName(fd: number): string | null;
  /** One datagram to a Unix socket, a path or an abstract name after `@`. Never waits: throws EAGAIN where the receiver is behind. */
  sendDatagram(name: string, message: Buffer): void;
  /** Sets close-on-exec on an inherited descriptor. */
  closeOnExec(fd: number): void;
  close(fd: number): void;
  /** PR_SET_DUMPABLE 0. */
  forbidDump(): void;
  /** RLIMIT_CORE 0, soft and hard. */
  forbidCore(): void;
  /** Empties the ambient capabilities: what the main thread starts from now on gets none of the process's own. */
  keepCapabilitiesToMyself(): void;
  /** PR_GET_DUMPABLE. */
  dumpable(): number;
}

export interface FileVersion extends FileIdentity {
  /** Bytes. */
  readonly size: bigint;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** As in the first column of mountinfo. */
  readonly mountId: bigint;
}

export const SO_TYPE = 3;
export const SO_ACCEPTCONN = 30;
export const SO_DOMAIN = 39;
