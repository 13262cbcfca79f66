import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { shortTime } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';

/** Stops every release, or lets them begin again. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const lift = args.flag('lift');
  const { fullName, methods } = WardenDefinition;
  const request = { reason: args.string('reason')?.trim() ?? '', ticket: args.string('ticket') ?? '', lift };
  const { since, ledgerSeq } = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.lockdown, request),
  );
  const recorded = ledgerSeq === 0n ? '' : ` · ledger ${ledgerSeq}`;
  if (out.json) out.object({ locked_down: since !== undefined, since: since?.toISOString(), ledger_seq: ledgerSeq });
  else if (since === undefined) {
    out.line(ledgerSeq === 0n ? 'nothing is locked down' : `the lockdown is lifted${recorded}`);
  } else {
    out.line({ text: 'locked down', style: 'red' }, ` since ${shortTime(since)}${recorded}`);
    out.note('  no certificate, no secret and no command with a secret, for anyone; what runs already goes on');
    out.note('  end it: warden lockdown --lift');
  }
  return 0;
}
