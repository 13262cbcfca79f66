import { QueryLedgerRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { printRecord } from '../print-record.ts';

const DEFAULT_LINES = 20;

/** The last records; with --follow the daemon sends new ones until this is interrupted. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const follow = args.flag('follow');
  const limit = args.integer('lines', 1, 10_000) ?? DEFAULT_LINES;
  const state = args.string('state');
  const request = QueryLedgerRequest.fromPartial({ limit, follow });
  if (state !== undefined) {
    if (follow) throw usageError('--follow needs the daemon', 'leave --state out');
    const { lastRecords } = await import('../ledger-offline.ts');
    for await (const json of lastRecords(invocation, request)) printRecord(json, out);
    return 0;
  }
  const { fullName, methods } = WardenDefinition;
  await withDaemon(invocation, async (channel) => {
    const options = follow ? { deadlineMs: null } : {};
    for await (const { json } of channel.stream(fullName, methods.queryLedger, request, options)) {
      printRecord(json, out);
      if (out.abandoned) break;
    }
  });
  return 0;
}
