import { readlinkSync } from 'node:fs';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import { shortTime } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';

/** Opens the gate for a while, or closes it. A person at a terminal does this, no program. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const close = args.flag('close');
  const reason = args.string('reason')?.trim() ?? '';
  const forMs = args.durationMs('for');
  if (reason === '') throw usageError('break-glass needs --reason TEXT', 'say why: it is recorded');
  if (close && forMs !== undefined) throw usageError('--close and --for exclude each other');
  if (!close && (forMs === undefined || forMs < 1000)) {
    throw usageError('break-glass needs --for TIME', 'say how long, such as --for 30m');
  }
  const { fullName, methods } = WardenDefinition;
  const request = {
    reason,
    ticket: args.string('ticket') ?? '',
    durationSeconds: BigInt(close ? 0 : Math.floor((forMs ?? 0) / 1000)),
    tty: ownTerminal(),
  };
  const answer = await withDaemon(invocation, (channel) => channel.unary(fullName, methods.breakGlass, request));
  if (out.json) out.object({ open: !close, until: answer.until?.toISOString(), ledger_seq: answer.ledgerSeq });
  else if (close) out.line(`the gate is closed again · ledger ${answer.ledgerSeq}`);
  else {
    const until = answer.until === undefined ? 'its end' : shortTime(answer.until);
    out.line({ text: 'break-glass', style: 'red' }, ` is open until ${until} · ledger ${answer.ledgerSeq}`);
    out.note(
      '  releases while the decision point cannot be reached are marked; close it: warden break-glass --close --reason TEXT',
    );
  }
  return 0;
}

/** The terminal that stdin is, such as /dev/pts/3. @throws WardenError where it is none */
function ownTerminal(): string {
  if (!process.stdin.isTTY) {
    throw usageError('break-glass wants a person at a terminal, and stdin is none', 'run it in a terminal yourself');
  }
  try {
    return readlinkSync('/proc/self/fd/0');
  } catch {
    return '';
  }
}
