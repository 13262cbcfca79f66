import type { Caller } from './caller.ts';

/** One accepted connection, bound to the process that the kernel says made it. */
export interface AttestedConnection {
  readonly caller: Caller;
  /** Is the attested process still there, and still running the same executable? A few microseconds. */
  check(): 'alive' | 'gone' | 'changed';
  /** SHA-256 of the executable, hex; null where it cannot be read. Cached by file identity. */
  exeSha256(): Promise<string | null>;
  /** The digest where it is known already. */
  exeSha256Cached(): string | null;
}
