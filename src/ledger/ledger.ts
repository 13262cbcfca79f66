import type { LedgerEntry, LedgerReceipt } from './record.ts';

/** The append-only record. A port: operations know this and nothing else of the ledger. */
export interface Ledger {
  /**
   * Resolves when the record is durable on disk; many waiting records share one fsync.
   * @throws WardenError ledger_unavailable: then nothing may be released.
   */
  append(entry: LedgerEntry): Promise<LedgerReceipt>;
  /**
   * Records a refusal or failure. Where space is short it may be counted instead of written, and resolves null.
   * @throws WardenError ledger_unavailable
   */
  appendRefusal(entry: LedgerEntry): Promise<LedgerReceipt | null>;
  /**
   * Stands in a record for a command line, which may hold what nobody should read: HMAC-SHA256 under a key of the
   * ledger's own, hex. A plain digest of so short a text could be guessed.
   */
  argvHmac(argv: readonly string[]): string;
}
