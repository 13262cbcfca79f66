import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { readFilter } from '../ledger-filter.ts';
import { printRecord } from '../print-record.ts';

/** Records that match, oldest first: through the daemon, or with --state from the files. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const filter = readFilter(args, Date.now());
  const state = args.string('state');
  let count = 0;
  const show = (json: string): void => {
    count += 1;
    printRecord(json, out);
  };
  if (state !== undefined) {
    const { lastRecords } = await import('../ledger-offline.ts');
    for await (const json of lastRecords(invocation, filter)) show(json);
  } else {
    const { fullName, methods } = WardenDefinition;
    await withDaemon(invocation, async (channel) => {
      for await (const { json } of channel.stream(fullName, methods.queryLedger, filter)) show(json);
    });
  }
  if (count === 0) out.note('no record matches');
  return 0;
}
