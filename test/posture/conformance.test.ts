import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MATURITIES } from '../../src/kernel/posture.ts';
import { DATA_CLASSES } from '../../src/posture/data-class.ts';
import { SECURITY_POSTURE } from '../../src/posture/descriptor.ts';
import { canRelease } from '../../src/posture/lattice.ts';
import { RULE_IDS } from '../../src/posture/rules.ts';
import { EXAMPLE, example, failed, judge } from './support.ts';

/** Rules that a manifest alone can break. */
const OFFLINE = RULE_IDS.filter((id) => !id.startsWith('live_'));
const PROD_UNSEAL = 'unseal: shamir-3-of-5';
const flow = (secret: string, workload: string): [string, string] => [
  'flows:\n',
  `flows:\n  - { secret: ${secret}, workload: ${workload} }\n`,
];
const anySecret = (fields: string): [string, string] => ['secrets:\n', `secrets:\n  - { ${fields} }\n`];

/** What is changed in the example, and every rule that must then fail, with what it is about. */
const FAILURES: readonly [string, readonly (readonly [string, string])[], readonly string[]][] = [
  [
    'prod on a dev server',
    [['backend: openbao-sealed', 'backend: openbao-dev']],
    ['environment_backend environment prod-eu'],
  ],
  ['prod on a mock', [['backend: openbao-sealed', 'backend: mock']], ['environment_backend environment prod-eu']],
  ['prod that unseals by itself', [[PROD_UNSEAL, 'unseal: auto']], ['environment_unseal environment prod-eu']],
  ['prod with one key', [[PROD_UNSEAL, 'unseal: single-key']], ['environment_unseal environment prod-eu']],
  [
    'prod with values generated once',
    [['generated-fresh', 'generated']],
    ['environment_real_values environment prod-eu'],
  ],
  [
    'prod that allows reuse',
    [['reuse: forbidden\n    real_data: allowed', 'reuse: allowed\n    real_data: allowed']],
    ['environment_reuse environment prod-eu'],
  ],
  ['prod with plain audit', [['level: tamper-evident', 'level: on']], ['environment_audit environment prod-eu']],
  [
    'prod without break-glass',
    [['break_glass: true', 'break_glass: false']],
    ['environment_break_glass environment prod-eu'],
  ],
  [
    'prod that does not mention break-glass',
    [['    break_glass: true\n', '']],
    ['environment_break_glass environment prod-eu'],
  ],
  [
    'prod that keeps its audit log to itself',
    [['      shipped_to: s3://audit\n', '']],
    ['audit_shipped environment prod-eu'],
  ],
  [
    'prod that was never restored',
    [['      last_restore_drill: 2026-09-01\n', '']],
    ['restore_drill environment prod-eu'],
  ],
  [
    'prod restored too long ago',
    [['restore_drill: 2026-09-01', 'restore_drill: 2025-10-31']],
    ['restore_drill environment prod-eu'],
  ],
  [
    'a restore drill to come',
    [['restore_drill: 2026-09-01', 'restore_drill: 2026-12-24']],
    ['restore_drill environment prod-eu'],
  ],
  [
    'break-glass drilled too long ago',
    [['break_glass_drill: 2026-09-01', 'break_glass_drill: 2026-05-04']],
    ['break_glass_drill environment prod-eu'],
  ],
  [
    'break-glass never drilled',
    [['      last_break_glass_drill: 2026-09-01\n', '']],
    ['break_glass_drill environment prod-eu'],
  ],
  [
    'test on a sealed store',
    [['backend: openbao-dev', 'backend: openbao-sealed']],
    ['environment_backend environment test-ci'],
  ],
  [
    'test with real data',
    [['reuse: allowed\n    real_data: never', 'reuse: allowed\n    real_data: allowed']],
    ['environment_real_data environment test-ci'],
  ],
  ['test without audit', [['level: on', 'level: optional']], ['environment_audit environment test-ci']],
  [
    'test without values',
    [['real_values: generated\n', 'real_values: forbidden\n']],
    ['environment_real_values environment test-ci'],
  ],
  [
    'dev with real values',
    [['real_values: forbidden', 'real_values: generated']],
    ['environment_real_values environment dev-local'],
  ],
  [
    'dev with real data',
    [['reuse: forbidden\n    real_data: never', 'reuse: forbidden\n    real_data: allowed']],
    ['environment_real_data environment dev-local'],
  ],
  [
    'dev on an OpenBao',
    [['backend: contract-double', 'backend: openbao-dev']],
    ['environment_backend environment dev-local'],
  ],
  [
    'dev with a secret to real data',
    [['data_class: synthetic', 'data_class: internal']],
    ['dev_is_synthetic secret npm-auth-token-dev'],
  ],
  [
    'one value in test and prod',
    [['material_id: m-17', 'material_id: m-2']],
    [
      'material_across_environments secret npm-auth-token-test',
      'material_across_environments secret pypi-auth-token-test',
      'material_across_environments secret npm-auth-token',
    ],
  ],
  [
    'one value twice in prod',
    [['material_id: m-18', 'material_id: m-17']],
    ['material_within_environment secret npm-auth-token', 'material_within_environment secret invoice-signing'],
  ],
  [
    'one value twice in a test environment that forbids reuse',
    [['reuse: allowed', 'reuse: forbidden']],
    [
      'material_within_environment secret npm-auth-token-test',
      'material_within_environment secret pypi-auth-token-test',
    ],
  ],
  [
    'one value twice in dev',
    [anySecret('id: other, environment: dev-local, required_maturity: M0, data_class: synthetic, material_id: m-1')],
    ['material_within_environment secret other', 'material_within_environment secret npm-auth-token-dev'],
  ],
  [
    'a flow to a workload below the required maturity',
    [flow('records-database', 'billing')],
    ['flow_lattice flow records-database -> billing'],
  ],
  [
    'a flow to a workload below the floor alone',
    [flow('invoice-signing', 'build')],
    ['flow_lattice flow invoice-signing -> build'],
  ],
  [
    'a flow in test below the required maturity',
    [
      [
        'id: integration-tests, environment: test-ci, maturity: M1',
        'id: integration-tests, environment: test-ci, maturity: M0',
      ],
    ],
    [
      'flow_lattice flow npm-auth-token-test -> integration-tests',
      'flow_lattice flow pypi-auth-token-test -> integration-tests',
    ],
  ],
  [
    'a prod secret to a test workload',
    [flow('npm-auth-token', 'integration-tests')],
    [
      'flow_within_environment flow npm-auth-token -> integration-tests',
      'flow_lattice flow npm-auth-token -> integration-tests',
    ],
  ],
  [
    'a test secret to a prod workload',
    [flow('npm-auth-token-test', 'build')],
    ['flow_within_environment flow npm-auth-token-test -> build', 'flow_lattice flow npm-auth-token-test -> build'],
  ],
  ['a flow from nowhere', [flow('nothing', 'build')], ['reference_resolves flow nothing -> build']],
  ['a flow to nowhere', [flow('npm-auth-token', 'nobody')], ['reference_resolves flow npm-auth-token -> nobody']],
  [
    'a workload in no environment',
    [['id: laptop, environment: dev-local', 'id: laptop, environment: elsewhere']],
    ['reference_resolves workload laptop'],
  ],
  [
    'a secret of no environment',
    [['id: invoice-signing, environment: prod-eu', 'id: invoice-signing, environment: elsewhere']],
    ['reference_resolves secret invoice-signing'],
  ],
  [
    'two workloads of one name',
    [['id: billing', 'id: build']],
    ['id_once workload build', 'reference_resolves flow invoice-signing -> billing'],
  ],
];

describe('the example', () => {
  test('conforms, and each kind of check was made', () => {
    const judged = judge(EXAMPLE);
    expect(failed(judged)).toEqual([]);
    expect(judged.conforms).toBe(true);
    // `id_once` speaks up only where it fails.
    expect([...new Set(judged.checks.map(({ rule }) => rule)), 'id_once'].sort()).toEqual([...OFFLINE].sort());
  });

  test('prod flows are deliveries of real values, the others are not', () => {
    for (const { deliver, release, secret } of judge(EXAMPLE).flows) {
      expect(release?.permitted, secret).toBe(true);
      expect(deliver?.permitted, secret).toBe(!/-(dev|test)$/.test(secret));
    }
  });
});

describe('what does not conform', () => {
  test.each(FAILURES)('%s', (_name, changes, expected) => {
    const judged = judge(example(...changes));
    expect(failed(judged)).toEqual(expected);
    expect(judged.conforms).toBe(false);
    for (const { held, message, mend } of judged.checks) {
      expect(message).toMatch(/^\S.*[^.]$/);
      if (!held) expect(mend).toMatch(/^[a-z].*[^.]$/);
    }
  });

  test('every rule was seen to fail', () => {
    const rules = new Set(FAILURES.flatMap(([, , expected]) => expected.map((text) => text.split(' ')[0])));
    expect([...rules].sort()).toEqual([...OFFLINE].sort());
  });

  test('a refused flow says which clause failed, what the workload has and what the secret needs', () => {
    const found = judge(example(flow('records-database', 'billing'))).checks.find(({ held }) => !held);
    expect(found?.message).toBe(
      'the workload is M2, below the M3 that the secret requires; the workload is M2, below the M3 that the data class of the secret requires',
    );
  });
});

describe('ages of drills', () => {
  test.each<[string, string, Parameters<typeof judge>[1], string[]]>([
    ['exactly as old as may be', 'restore_drill: 2025-11-01', {}, []],
    ['a day older', 'restore_drill: 2025-10-31', {}, ['restore_drill environment prod-eu']],
    ['today', 'restore_drill: 2026-11-01', {}, []],
    ['tomorrow, as it may be elsewhere', 'restore_drill: 2026-11-02', {}, []],
    ['the day after tomorrow', 'restore_drill: 2026-11-03', {}, ['restore_drill environment prod-eu']],
    ['within an age that was asked for', 'restore_drill: 2026-10-02', { restoreDrillMaxAgeDays: 30 }, []],
    [
      'beyond an age that was asked for',
      'restore_drill: 2026-10-01',
      { restoreDrillMaxAgeDays: 30 },
      ['restore_drill environment prod-eu'],
    ],
  ])('%s', (_name, drill, ages, expected) => {
    expect(failed(judge(example(['restore_drill: 2026-09-01', drill]), ages))).toEqual(expected);
  });
});

describe('any flow in any tier', () => {
  test('conforms exactly where the lattice of its tier releases it', () => {
    const maturity = fc.constantFrom(...MATURITIES);
    const tier = fc.constantFrom('dev-local', 'test-ci', 'prod-eu');
    fc.assert(
      fc.property(
        maturity,
        maturity,
        fc.constantFrom(...DATA_CLASSES),
        tier,
        tier,
        (has, needs, dataClass, from, to) => {
          const text = example(
            flow('new-secret', 'new-workload'),
            anySecret(
              `id: new-secret, environment: ${from}, required_maturity: ${needs}, data_class: ${dataClass}, material_id: m-99`,
            ),
            ['workloads:\n', `workloads:\n  - { id: new-workload, environment: ${to}, maturity: ${has} }\n`],
          );
          const judged = judge(text).flows.find(({ secret }) => secret === 'new-secret');
          const [source, target] = [from, to].map((id) =>
            SECURITY_POSTURE.postures.find((row) => id.startsWith(row.id)),
          );
          if (source === undefined || target === undefined)
            throw new Error('every environment of the example has a tier');
          const verdict = canRelease(
            { requiredMaturity: needs, dataClass },
            { posture: target.id, maturity: has },
            source.material,
          );
          expect(judged?.release).toEqual(verdict);
          expect(judged?.conforms).toBe(verdict.permitted && from === to);
        },
      ),
    );
  });
});
