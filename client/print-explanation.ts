import type { ExplainResponse } from '../src/rpc/generated/warden/v1/warden.ts';
import { columns, type Output, type Style } from './output.ts';

const MARKS: Readonly<Record<string, readonly [string, Style]>> = {
  held: ['ok', 'green'],
  failed: ['NO', 'red'],
  not_reached: ['--', 'dim'],
  not_asked: ['--', 'dim'],
  would_ask: ['??', 'yellow'],
};

/** A decision step by step, then its verdict. */
export function printExplanation(answer: ExplainResponse, out: Output): void {
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

export function explanationJson(answer: ExplainResponse): Record<string, unknown> {
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

/** 0 where it would go on, 1 refused, 4 a fault of something outside. */
export function explanationCode({ verdict }: ExplainResponse): number {
  if (verdict === 'refused') return 1;
  return verdict === 'fault' ? 4 : 0;
}
