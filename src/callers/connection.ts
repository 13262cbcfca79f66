import type { Caller } from './caller.ts';

/** One accepted connection, bound to the process that the kernel says made it. */
export interface AttestedConnection {
  readonly caller: Caller;
  /**
   * Whether the connection still belongs to the program that was attested; to be asked at each request. A few
   * microseconds. `gone`: the process exited (whoever else holds the connection was never attested).
   * `changed`: it runs another executable now.
   */
  check(): 'alive' | 'gone' | 'changed';
  /**
   * SHA-256 of the running executable, lower-case hex; null where it can't be read or vouched for (over 512 MiB,
   * on FUSE, in a user namespace that is not the daemon's). Reads the file the first time that anybody asks.
   */
  exeSha256(): Promise<string | null>;
  /** The digest where exeSha256() has found it on this connection before; never reads the file. */
  exeSha256Cached(): string | null;
}
