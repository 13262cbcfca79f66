import type { Output, Style } from '../output.ts';
import type { Check, CheckState } from './check.ts';

const WORDS: Readonly<Record<CheckState, { readonly word: string; readonly style: Style }>> = {
  ok: { word: 'ok', style: 'green' },
  finding: { word: 'FINDING', style: 'red' },
  note: { word: 'note', style: 'yellow' },
  unknown: { word: 'unknown', style: 'yellow' },
  off: { word: 'off', style: 'dim' },
};

/** With --quiet the findings alone. */
export function printChecks(checks: readonly Check[], reached: boolean, out: Output): void {
  const findings = checks.filter(({ state }) => state === 'finding').length;
  if (out.json) {
    out.object({ healthy: findings === 0, daemon: reached ? 'reached' : 'not_reached', findings, checks });
    return;
  }
  const width = Math.max(...checks.map(({ id }) => id.length));
  for (const { id, state, says, mend } of checks) {
    if (out.quiet && state !== 'finding') continue;
    const { word, style } = WORDS[state];
    out.line('  ', { text: word.padEnd(7), style }, `  ${id.padEnd(width)}  ${says}`);
    if (mend !== undefined) out.line(`  ${' '.repeat(9 + width)}  do: ${mend}`);
  }
  const unseen = checks.filter(({ state }) => state === 'unknown').length;
  const rest = unseen === 0 ? '' : `; ${unseen} could not be looked at`;
  if (findings === 0) out.note({ text: 'healthy', style: 'green' }, rest);
  else out.note({ text: `${findings} ${findings === 1 ? 'finding' : 'findings'}`, style: 'red' }, rest);
}
