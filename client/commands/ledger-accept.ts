import { systemClock } from '../../src/kernel/clock.ts';
import { acceptBreak } from '../../src/ledger/accept.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { anchorFile, ledgerFolder, unreadable } from '../ledger-offline.ts';
import { refuseWhileLocked } from '../state-lock.ts';

/** The mend after a break was looked into. Only with a reason, only where there is a break, only while no daemon runs. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const reason = args.string('reason')?.trim() ?? '';
  if (reason === '') throw usageError('ledger accept needs --reason TEXT', 'say what happened: it is recorded');
  const dir = await ledgerFolder(invocation);
  const anchor = anchorFile(invocation, dir);
  refuseWhileLocked(dir);
  const { conforms } = await verifyLedger(dir, anchor).catch((error: unknown) => {
    throw unreadable(dir, error);
  });
  if (conforms) {
    if (out.json) out.object({ accepted: false, folder: dir });
    else out.line('nothing to accept: the ledger is whole');
    return 0;
  }
  const { seq, findings } = await acceptBreak(dir, reason, { clock: systemClock, ...anchor });
  if (out.json) out.object({ accepted: true, folder: dir, ledger_seq: seq, findings });
  else {
    for (const { file, line, what } of findings)
      out.line(`accepted: ${file}${line === null ? '' : `:${line}`}: ${what}`);
    out.line(`record ${seq} says so; wardend starts again`);
  }
  return 0;
}
