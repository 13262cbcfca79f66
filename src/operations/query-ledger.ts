import type { LedgerFilter } from '../ledger/query.ts';
import { callerMatches, isAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';

/** The reading side of the ledger. */
export interface LedgerReader {
  query(filter: LedgerFilter, signal: AbortSignal): AsyncIterable<{ seq: bigint; json: string }>;
}

/**
 * Records of the ledger: one's own (by uid), and all of them for auditors and administrators. Whose they are
 * is decided here and not by anything in the request.
 */
export async function* queryLedger(
  filter: Omit<LedgerFilter, 'uid'>,
  reader: LedgerReader,
  context: RequestContext,
): AsyncIterable<{ seq: bigint; json: string }> {
  const { auditors } = context.world.snapshot.settings;
  const seesAll = (await isAdministrator(context)) || (await callerMatches(auditors, context));
  yield* reader.query(seesAll ? filter : { ...filter, uid: context.connection.caller.uid }, context.signal);
}
