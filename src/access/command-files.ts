/** What a list of commands is held against. A port: operations know this and nothing of files. */
export interface CommandFiles {
  /**
   * A path with its folder resolved and its last name as it stands there: a link that is followed would make one
   * program of all those that look at the name they are called by. As it is where the folder cannot be seen.
   */
  place(path: string): Promise<string>;
  /** @throws WardenError command_not_allowed where the file cannot be read, or not be kept as it is */
  pin(path: string): Promise<PinnedFile>;
}

/** A file as it was when it was read. To be closed once its command runs, or is not to run. */
export interface PinnedFile {
  /** Of its bytes, links followed; lower-case hex. */
  readonly sha256: string;
  /**
   * A descriptor, to be executed in the place of the path: a copy of exactly these bytes that nobody can change. Null
   * where nobody but root can change what the path leads to.
   */
  readonly copy: number | null;
  /** Whether the path still leads to the very file, unwritten since it was read. */
  unchanged(): Promise<boolean>;
  close(): void;
}
