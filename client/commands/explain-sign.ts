import { WardenError } from '../../src/kernel/errors.ts';
import { type ExplainResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { findKey } from '../find-key.ts';
import type { Invocation } from '../invocation.ts';
import { columns, type Style } from '../output.ts';
import { readSignRequest } from '../sign-request.ts';

const MARKS: Readonly<Record<string, readonly [string, Style]>> = {
  held: ['ok', 'green'],
  failed: ['NO', 'red'],
  not_reached: ['--', 'dim'],
  not_asked: ['--', 'dim'],
  would_ask: ['??', 'yellow'],
};

/** The decision, step by step, without its effect. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const publicKey = await keyOrNone(invocation);
  const sign = readSignRequest(invocation, publicKey, 1);
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.explain, { sign, fetch: undefined, ask: args.flag('ask') }),
  );
  if (out.json) out.object(toJsonAnswer(answer));
  else {
    const rows = columns(answer.steps.map(({ name, was }) => [name, was]));
    for (const [index, step] of answer.steps.entries()) {
      const [text, style] = MARKS[step.outcome] ?? [step.outcome, 'dim'];
      out.line('  ', { text: text.padEnd(2), style }, `  ${rows[index] ?? ''}`);
      if (step.outcome !== 'held' && step.needed !== '') out.line(`        needed: ${step.needed}`);
    }
    out.line(
      { text: answer.verdict.replace('_', ' '), style: 'bold' },
      answer.message === '' ? '' : `: ${answer.message}`,
    );
    const facts = [
      answer.reason,
      answer.decisionId && `decision ${answer.decisionId}`,
      answer.ledgerSeq > 0n && `ledger ${answer.ledgerSeq}`,
    ];
    const why = [...facts, `request ${answer.requestId}`].filter(Boolean).join(' · ');
    out.line(`  why: ${why}`);
    if (answer.hint !== '') out.line(`  do: ${answer.hint}`);
  }
  if (answer.verdict === 'refused') return 1;
  return answer.verdict === 'fault' ? 4 : 0;
}

/** Without any key the question is still worth asking: the answer says that one is missing. */
async function keyOrNone(invocation: Invocation): Promise<string> {
  try {
    return (await findKey(invocation, invocation.args.positional(0))).line;
  } catch (error) {
    const none = error instanceof WardenError && error.code === 'invalid_request';
    if (none && invocation.args.string('pubkey') === undefined) return '';
    throw error;
  }
}

function toJsonAnswer(answer: ExplainResponse): Record<string, unknown> {
  return {
    verdict: answer.verdict,
    reason: answer.reason || undefined,
    message: answer.message || undefined,
    hint: answer.hint || undefined,
    steps: answer.steps,
    decision_id: answer.decisionId || undefined,
    generation: answer.generation,
    ledger_seq: answer.ledgerSeq > 0n ? answer.ledgerSeq : undefined,
    request_id: answer.requestId,
  };
}
