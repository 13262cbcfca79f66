import type { LedgerEntry, LedgerReceipt } from '../ledger/record.ts';
import type { Lockdown, RestraintChange, Revoked } from './restraints.ts';

/** The list as sshd reads it. */
export interface CurrentList {
  readonly bytes: Buffer;
  readonly number: bigint;
  /** Milliseconds since the epoch. */
  readonly generatedAt: number;
  /** Where it lies on this machine. */
  readonly path: string;
  readonly certificates: number;
  /** Keys, of subjects and of authorities, no certificate of which is good. */
  readonly keys: number;
}

/** What is held back, for as long as the daemon lives and beyond. */
export interface RestraintKeeper {
  readonly lockdown: Lockdown | null;
  readonly actors: ReadonlySet<string>;
  isRevokedActor(name: string): boolean;
  /** By fingerprint, `SHA256:…`. */
  isRevokedKey(fingerprint: string): boolean;
  /** Is this very item on the list? Whatever else may hold the same certificate back. */
  holds(item: Revoked): boolean;
  list(): CurrentList;
  /** False while the files do not hold what is in force; they are tried again by themselves. */
  readonly isWritten: boolean;
  /**
   * Puts a change in force. What it holds back is held back from the moment of the call; once it resolves it is
   * durable in the ledger first, then in the state file, and the list is written. A lift holds once it is durable.
   * @throws WardenError ledger_unavailable: nothing changed · revocation_list_failed: it holds, and the list is old
   */
  commit(change: RestraintChange, entry: LedgerEntry): Promise<LedgerReceipt>;
}
