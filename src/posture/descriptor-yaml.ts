import { type PostureRow, SECURITY_POSTURE } from './descriptor.ts';

/** The descriptor as the file that is shipped: examples/security-posture.yaml, the same bytes each time. */
export function descriptorYaml(): string {
  const { version, postures, levels, data_classes } = SECURITY_POSTURE;
  return [
    '# Workload security posture, machine-readable. This is what wardend itself judges by: `warden policy --yaml` prints it,',
    '# and a copy that is edited changes nothing.',
    '#',
    '# deliver(secret -> workload) is permitted only if the workload runs in posture prod, and its maturity is at least',
    "# the secret's required_maturity, and at least the floor of the secret's data class. Values never cross tiers.",
    '',
    `version: ${version}`,
    '',
    '# Axis A: how the secret store behind a workload is secured. Lists hold what an environment of the posture may be.',
    'postures:',
    ...postures.flatMap(postureLines),
    '',
    '# Axis B: how trusted a workload is, in rising order. The gate is what it takes to get into a level.',
    'levels:',
    ...levels.flatMap(({ id, phase, handles, limits, gate }) => [
      `  - id: ${id}`,
      `    phase: "${phase}"`,
      `    handles: ${handles}`,
      `    limits: "${limits}"`,
      `    gate: [${gate.map((item) => `"${item}"`).join(', ')}]`,
    ]),
    '',
    '# The maturity that a data class demands, whatever the secret itself requires.',
    'data_classes:',
    ...data_classes.map(({ id, floor }) => `  - { id: ${id}, floor: ${floor} }`),
    '',
  ].join('\n');
}

function postureLines(row: PostureRow): string[] {
  const { evidence } = row;
  // `on` is quoted for readers of YAML 1.1, who take it for a boolean.
  const list = (values: readonly string[]): string =>
    `[${values.map((value) => (value === 'on' ? '"on"' : value)).join(', ')}]`;
  return [
    `  - id: ${row.id}`,
    `    about: "${row.about}"`,
    `    material: ${row.material}`,
    `    backend: ${list(row.backend)}`,
    `    unseal: ${list(row.unseal)}`,
    `    real_values: ${list(row.real_values)}`,
    `    reuse: ${list(row.reuse)}`,
    `    real_data: ${list(row.real_data)}`,
    `    audit_level: ${list(row.audit_level)}`,
    `    break_glass: ${row.break_glass}`,
    '    evidence:',
    `      audit_shipped: ${evidence.audit_shipped}`,
    `      restore_drill_max_age_days: ${evidence.restore_drill_max_age_days}`,
    `      break_glass_drill_max_age_days: ${evidence.break_glass_drill_max_age_days}`,
  ];
}
