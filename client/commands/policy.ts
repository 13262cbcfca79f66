import { type PostureRow, SECURITY_POSTURE } from '../../src/posture/descriptor.ts';
import { descriptorYaml } from '../../src/posture/descriptor-yaml.ts';
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { columns, type Output } from '../output.ts';

/** The standard that everything is judged by: both axes, the floors, and the rule that joins them. */
export async function run({ args, out }: Invocation): Promise<number> {
  if (args.flag('yaml') && out.json) throw usageError('--yaml and --json exclude each other', 'ask for one of them');
  if (args.flag('yaml')) out.raw(descriptorYaml());
  else if (out.json) out.object(SECURITY_POSTURE);
  else print(out);
  return 0;
}

function print(out: Output): void {
  const { postures, levels, data_classes } = SECURITY_POSTURE;
  table(out, 'environment posture: how the store behind a workload is secured', [
    ['', ...postures.map(({ id }) => id)],
    ...ROWS.map(([label, cell]) => [label, ...postures.map(cell)]),
  ]);
  out.line('');
  table(out, 'maturity: how trusted a workload is', [
    ['LEVEL', 'PHASE', 'HANDLES UP TO', 'GATE INTO IT'],
    ...levels.map(({ id, phase, handles, gate }) => [id, phase, handles, gate.join(', ') || 'none: where all begin']),
  ]);
  out.line('');
  table(out, 'data class: the maturity it demands', [
    ['CLASS', 'FLOOR'],
    ...data_classes.map(({ id, floor }) => [id, floor]),
  ]);
  out.line('');
  out.line({ text: 'the rule', style: 'bold' });
  out.line(
    '  a real value flows only to a workload in posture prod whose maturity is at least what the secret requires',
  );
  out.line('  and at least the floor of its data class; values never cross tiers');
  out.note('');
  out.note('  one case: warden policy explain --posture prod --maturity M1 --required M1 --class confidential');
}

const ROWS: readonly (readonly [string, (row: PostureRow) => string])[] = [
  ['values', ({ material }) => material],
  ['backend', ({ backend }) => backend.join(', ')],
  ['unseal', ({ unseal }) => unseal.join(', ')],
  ['real values', ({ real_values }) => real_values.join(', ')],
  ['reuse', ({ id, reuse }) => (id === 'dev' ? 'n/a' : (reuse.at(-1) ?? ''))],
  ['real data', ({ real_data }) => real_data.at(-1) ?? ''],
  ['audit', ({ audit_level }) => (audit_level.length === 3 ? 'any' : audit_level.join(', '))],
  ['break-glass', ({ break_glass }) => break_glass],
  ['audit shipped', ({ evidence }) => (evidence.audit_shipped ? 'required' : 'optional')],
  ['restore drill', ({ evidence }) => age(evidence.restore_drill_max_age_days)],
  ['break-glass drill', ({ evidence }) => age(evidence.break_glass_drill_max_age_days)],
];

function age(days: number | null): string {
  return days === null ? 'optional' : `within ${days} days`;
}

function table(out: Output, title: string, rows: readonly (readonly string[])[]): void {
  out.line({ text: title, style: 'bold' });
  for (const row of columns(rows)) out.line(`  ${row}`);
}
