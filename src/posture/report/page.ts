import { createHash } from 'node:crypto';
import { postureRow } from '../descriptor.ts';
import type { Clause, ClauseId } from '../lattice.ts';
import type { Environment } from '../manifest.ts';
import { RULES } from '../rules.ts';
import { escapeMarkup as text } from './escape.ts';
import { layLattice } from './lattice-layout.ts';
import { latticeSvg } from './lattice-svg.ts';
import type { Judged, PlacedCheck, PostureReport } from './report.ts';
import { STYLE } from './style.ts';

/**
 * The report as one HTML file: nothing is fetched, nothing runs, and its own policy says so. Light and dark; what
 * the pictures show stands in tables too.
 */
export function posturePage(report: PostureReport): string {
  const { file, now, version, judged, problems } = report;
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const findings = (judged?.checks ?? []).filter(({ held }) => !held);
  const name = file === '-' ? 'stdin' : file;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${text(policy)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${text(`Posture of ${name}: ${verdictWords(report)}`)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<main>',
    '<header>',
    `<div><h1>Posture conformance</h1><p class="soft"><code>${text(name)}</code> · judged ${day(now)} by warden ${text(version)}</p></div>`,
    `<p class="badge ${judged?.conforms === true ? 'ok' : 'no'}">${judged?.conforms === true ? '✓' : '✕'} ${text(verdictWords(report))}</p>`,
    '</header>',
    ...(problems.length > 0 ? problemTable(report) : []),
    ...(findings.length > 0 ? findingTable(findings) : []),
    ...(judged === null ? [] : judgedParts(judged)),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function verdictWords({ judged, problems }: PostureReport): string {
  if (judged === null) return problems.length === 1 ? 'unusable: 1 problem' : `unusable: ${problems.length} problems`;
  const count = judged.checks.filter(({ held }) => !held).length;
  if (count === 0) return 'conforms';
  return count === 1 ? '1 finding' : `${count} findings`;
}

function problemTable({ problems }: PostureReport): string[] {
  const rows = problems.map(({ line, column, message, hint }) => [`${line}:${column}`, text(message), text(hint)]);
  return [
    '<h2>Why nothing could be judged</h2>',
    table(
      'Places in the manifest; what stands there is not repeated here.',
      ['Line', 'What is wrong', 'What to write'],
      rows,
    ),
  ];
}

function findingTable(findings: readonly PlacedCheck[]): string[] {
  const rows = findings.map(({ about, line, message, mend }) => [
    aboutText(about),
    String(line),
    text(message),
    text(mend),
  ]);
  return [
    '<h2>Findings</h2>',
    table('What does not hold, with the line of the manifest.', ['About', 'Line', 'What is', 'What to do'], rows),
  ];
}

function judgedParts(judged: Judged): string[] {
  const { manifest, checks, flows } = judged;
  const flowRows = flows.map(({ secret, workload, release, conforms }) => [
    `<code>${text(secret)}</code>`,
    `<code>${text(workload)}</code>`,
    conforms ? '✓ permitted' : '✕ refused',
    ...CLAUSES.map(([id]) => clauseCell(release?.clauses.find((clause) => clause.id === id))),
  ]);
  const checkRows = checks.map(({ held, about, rule, message }) => [
    aboutText(about),
    held ? '✓ holds' : '✕ fails',
    text(RULES[rule]),
    text(message),
  ]);
  return [
    ...manifest.environments.flatMap((environment, index) => environmentPart(environment, index, judged)),
    '<h2>All flows</h2>',
    table(
      'Each flow by the rule of its tier: what there is, and behind a cross what was needed. A dash: not asked in that tier.',
      ['Secret', 'Workload', 'Verdict', ...CLAUSES.map(([, head]) => head)],
      flowRows,
    ),
    '<h2>All checks</h2>',
    `<details><summary>${checks.length} checks</summary>`,
    table('Everything that was asserted.', ['About', 'Result', 'Rule', 'What is'], checkRows),
    '</details>',
  ];
}

const CLAUSES: readonly (readonly [ClauseId, string])[] = [
  ['posture', 'Posture'],
  ['material', 'Value of tier'],
  ['required_maturity', 'Required maturity'],
  ['data_class_floor', 'Data class floor'],
];

function clauseCell(clause: Clause | undefined): string {
  if (clause === undefined) return '–';
  return clause.held ? `✓ ${text(clause.was)}` : `✕ ${text(clause.was)}, needs ${text(clause.needed)}`;
}

function environmentPart(environment: Environment, index: number, { manifest, checks, flows }: Judged): string[] {
  const about = `environment ${environment.id}`;
  const failed = new Set(checks.filter((check) => !check.held && check.about === about).map(({ rule }) => rule));
  const { audit } = environment;
  const fact = (label: string, value: string, ...rules: PlacedCheck['rule'][]): string => {
    const wrong = rules.some((rule) => failed.has(rule));
    return `<li${wrong ? ' class="no"' : ''}>${wrong ? '✕ ' : ''}${label} <b>${text(value)}</b></li>`;
  };
  const asked = postureRow(environment.posture).evidence;
  const drawing = layLattice(environment, manifest, flows);
  const title = `Flow lattice of ${environment.id}`;
  return [
    `<h2>${text(environment.id)} <span class="soft">· ${environment.posture}</span></h2>`,
    '<section class="card">',
    '<ul class="facts">',
    fact('backend', environment.backend, 'environment_backend'),
    fact('unseal', environment.unseal, 'environment_unseal'),
    fact('real values', environment.real_values, 'environment_real_values'),
    fact('reuse', environment.reuse, 'environment_reuse'),
    fact('real data', environment.real_data, 'environment_real_data'),
    fact('audit', audit.level, 'environment_audit'),
    ...(asked.audit_shipped ? [fact('audit shipped to', audit.shipped_to ?? 'nowhere', 'audit_shipped')] : []),
    fact('break-glass', environment.break_glass ? 'yes' : 'no', 'environment_break_glass'),
    ...(asked.restore_drill_max_age_days === null
      ? []
      : [fact('restore drill', audit.last_restore_drill ?? 'never', 'restore_drill')]),
    ...(asked.break_glass_drill_max_age_days === null
      ? []
      : [fact('break-glass drill', audit.last_break_glass_drill ?? 'never', 'break_glass_drill')]),
    '</ul>',
    ...(drawing.boxes.length === 0
      ? ['<p class="soft">The manifest names neither secrets nor workloads here.</p>']
      : [latticeSvg(drawing, `lattice-${index}`, title), legend(environment)]),
    ...(drawing.left > 0 ? [`<p class="soft">${drawing.left} more flows are not drawn; the table has them.</p>`] : []),
    '</section>',
  ];
}

function legend({ posture }: Environment): string {
  const rule =
    posture === 'dev'
      ? "In dev every value is a double's and synthetic: it demands nothing of a workload, and leaves for no other environment."
      : 'A secret flows level or upwards, never down, and never into another environment (dashed frame).';
  return [
    '<div class="legend">',
    '<span><svg viewBox="0 0 44 14" aria-hidden="true"><g class="flow ok"><path d="M2 7H42"/></g></svg>permitted</span>',
    '<span><svg viewBox="0 0 44 14" aria-hidden="true"><g class="flow no"><path d="M2 7H42"/></g></svg>refused</span>',
    `<span>${rule}</span>`,
    '</div>',
  ].join('');
}

/** `flow a -> b` as a person reads it, the arrow kept with what follows. */
function aboutText(about: string): string {
  return text(about).replace(' -&gt; ', ' →&nbsp;');
}

/** Cells are markup already. */
function table(caption: string, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((cell) => `<th scope="col">${cell}</th>`).join('');
  const body = rows.map((row) => {
    const cells = row.map((cell, index) => {
      if (index === 0) return `<th scope="row">${cell}</th>`;
      const tone = cell.startsWith('✓') ? ' class="ok"' : cell.startsWith('✕') ? ' class="no"' : '';
      return `<td${tone}>${cell}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="card"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}

function day(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}
