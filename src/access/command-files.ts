/** What a list of commands is held against. A port: operations know this and nothing of files. */
export interface CommandFiles {
  /**
   * A path with its folder resolved and its last name as it stands there: a link that is followed would make one
   * program of all those that look at the name they are called by. As it is where the folder cannot be seen.
   */
  place(path: string): Promise<string>;
  /** @throws WardenError command_not_allowed where the file cannot be read */
  digest(path: string): Promise<FileDigest>;
}

export interface FileDigest {
  /** Of the file's bytes, links followed; lower-case hex. */
  readonly sha256: string;
  /** Whether the path still leads to the very file, unwritten since it was read. */
  unchanged(): Promise<boolean>;
}
