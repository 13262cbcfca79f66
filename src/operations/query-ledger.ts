import type { LedgerFilter } from '../ledger/query.ts';
import { callerMatches, isAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';

/** The reading side of the ledger. */
export interface LedgerReader {
  /** The newest `limit` that match, oldest first. The search ends when `signal` aborts: it may read every file there is. */
  newest(filter: LedgerFilter, limit: number, signal: AbortSignal): AsyncIterable<{ seq: bigint; json: string }>;
  /** New ones as they become durable, until `signal` aborts. */
  follow(filter: LedgerFilter, signal: AbortSignal): AsyncIterable<{ seq: bigint; json: string }>;
}

export interface LedgerQuestion {
  readonly filter: Omit<LedgerFilter, 'uid'>;
  readonly limit: number;
  readonly follow: boolean;
}

/**
 * Records of the ledger: one's own (by uid), and all of them for auditors and administrators. Whose they are
 * is decided here and not by anything in the request. Reading is not recorded, refused or not: it changes and
 * releases nothing, whoever follows the ledger would follow their own reading, and what it can be refused for (limits,
 * a caller that is gone) is in log and status.
 */
export async function* queryLedger(
  { filter, limit, follow }: LedgerQuestion,
  reader: LedgerReader,
  context: RequestContext,
): AsyncIterable<{ seq: bigint; json: string }> {
  const { auditors } = context.world.snapshot.settings;
  const seesAll = (await isAdministrator(context)) || (await callerMatches(auditors, context));
  const visible = seesAll ? filter : { ...filter, uid: context.connection.caller.uid };
  // Begun before the old ones are read, so that nothing falls between the two; what both have is given once.
  const coming = follow ? reader.follow(visible, context.signal) : null;
  let last = 0n;
  for await (const line of reader.newest(visible, limit, context.signal)) {
    last = line.seq;
    yield line;
  }
  if (coming === null) return;
  for await (const line of coming) if (line.seq > last) yield line;
}
