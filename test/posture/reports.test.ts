import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readPostureManifest } from '../../src/config/posture-manifest.ts';
import { checkConformance, DRILL_AGES } from '../../src/posture/conformance.ts';
import { postureJson } from '../../src/posture/report/json.ts';
import { postureJunit } from '../../src/posture/report/junit.ts';
import { posturePage } from '../../src/posture/report/page.ts';
import { exitOf, type PostureReport } from '../../src/posture/report/report.ts';
import { postureSarif } from '../../src/posture/report/sarif.ts';
import { RULE_IDS } from '../../src/posture/rules.ts';
import { EXAMPLE, example, NOW } from './support.ts';

function reportOn(text: string, file = 'ops/posture.yaml'): PostureReport {
  const read = readPostureManifest(file, Buffer.from(text));
  const head = { file, now: NOW, version: '1.2.3' };
  if (read.manifest === null) return { ...head, judged: null, problems: read.problems };
  const { conforms, checks, flows } = checkConformance(read.manifest, { now: NOW, ...DRILL_AGES });
  const placed = checks.map((check) => ({ ...check, ...read.placeOf(check.path) }));
  return { ...head, judged: { manifest: read.manifest, conforms, checks: placed, flows }, problems: [] };
}

const good = reportOn(EXAMPLE);
const bad = reportOn(example(['unseal: shamir-3-of-5', 'unseal: auto'], ['maturity: M3', 'maturity: M2']));
const unusable = reportOn(example(['version: 1', 'version: 2\npassword: hunter']));

interface SarifRun {
  readonly tool: { readonly driver: { readonly name: string; readonly rules: readonly { readonly id: string }[] } };
  readonly invocations: readonly { readonly executionSuccessful: boolean; readonly exitCode: number }[];
  readonly results: readonly SarifResult[];
}
interface SarifResult {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly {
    readonly physicalLocation: {
      readonly artifactLocation: { readonly uri: string };
      readonly region?: { readonly startLine: number; readonly startColumn: number };
    };
  }[];
}

function runOf(report: PostureReport): SarifRun {
  const sarif = JSON.parse(JSON.stringify(postureSarif(report))) as {
    readonly $schema: string;
    readonly version: string;
    readonly runs: readonly SarifRun[];
  };
  expect(Object.keys(sarif)).toEqual(['$schema', 'version', 'runs']);
  expect(sarif.version).toBe('2.1.0');
  expect(sarif.$schema).toMatch(/sarif-schema-2\.1\.0\.json$/);
  const [run] = sarif.runs;
  if (run === undefined || sarif.runs.length !== 1) throw new Error('one run');
  return run;
}

describe('SARIF', () => {
  test.each<[string, PostureReport, boolean, number]>([
    ['of what conforms has no results', good, true, 0],
    ['of what does not has one a finding', bad, true, 1],
    ['of what is unusable has one a problem', unusable, false, 2],
  ])('%s', (_name, report, successful, exitCode) => {
    const run = runOf(report);
    const found = report.judged?.checks.filter(({ held }) => !held).length ?? report.problems.length;
    expect(run.results).toHaveLength(found);
    expect(found > 0).toBe(exitCode > 0);
    expect(run.invocations).toEqual([
      { executionSuccessful: successful, exitCode, endTimeUtc: '2026-11-01T12:00:00.000Z' },
    ]);
    expect(run.tool.driver).toMatchObject({ name: 'warden posture check', semanticVersion: '1.2.3' });
  });

  test('each result points at its rule and at its place, as SARIF demands', () => {
    for (const report of [bad, unusable]) {
      const run = runOf(report);
      const { rules } = run.tool.driver;
      expect(rules.map(({ id }) => id)).toEqual([...RULE_IDS, 'manifest_unusable']);
      for (const { ruleId, ruleIndex, level, message, locations } of run.results) {
        expect(rules[ruleIndex]?.id).toBe(ruleId);
        expect(level).toBe('error');
        expect(message.text).toMatch(/^[A-Z].*\. To do: .*\.$/);
        expect(locations).toHaveLength(1);
        const place = locations[0]?.physicalLocation;
        expect(place?.artifactLocation.uri).toBe('ops/posture.yaml');
        expect(place?.region?.startLine).toBeGreaterThan(0);
        expect(place?.region?.startColumn).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    ['with a space and a hash', 'my ops/#1.yaml', 'my%20ops/%231.yaml'],
    ['absolute', '/etc/warden/posture.yaml', 'file:///etc/warden/posture.yaml'],
    ['stdin', '-', 'stdin'],
  ])('a file %s has a valid address', (_name, file, uri) => {
    const [result] = runOf(reportOn(example(['unseal: none', 'unseal: auto']), file)).results;
    expect(result?.locations[0]?.physicalLocation.artifactLocation.uri).toBe(uri);
  });
});

interface Junit {
  readonly attributes: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly suite: string;
    readonly name: string;
    readonly kind: string | null;
    readonly type: string | null;
    readonly text: string | null;
  }[];
  readonly sums: Readonly<Record<string, number>>;
}

/** The file through a real XML parser. */
function parseJunit(xml: string): Junit {
  const script = `
import json, sys
import xml.etree.ElementTree as E
root = E.fromstring(sys.stdin.buffer.read())
assert root.tag == 'testsuites'
cases = []
for suite in root:
    assert suite.tag == 'testsuite'
    for case in suite:
        assert case.tag == 'testcase'
        child = case[0] if len(case) else None
        cases.append({'suite': suite.get('name'), 'name': case.get('name'),
                      'kind': None if child is None else child.tag,
                      'type': None if child is None else child.get('type'),
                      'text': None if child is None else child.text})
sums = {key: sum(int(suite.get(key)) for suite in root) for key in ('tests', 'failures', 'errors')}
json.dump({'attributes': root.attrib, 'cases': cases, 'sums': sums}, sys.stdout)
`;
  return JSON.parse(execFileSync('python3', ['-c', script], { input: xml, encoding: 'utf8' })) as Junit;
}

describe('JUnit', () => {
  test.each<[string, PostureReport]>([
    ['what conforms', good],
    ['what does not', bad],
    ['what is unusable', unusable],
  ])('of %s has one case a check, and counts that add up', (_name, report) => {
    const { attributes, cases, sums } = parseJunit(postureJunit(report));
    const failures = cases.filter(({ kind }) => kind === 'failure').length;
    const errors = cases.filter(({ kind }) => kind === 'error').length;
    expect(attributes).toMatchObject({
      tests: String(cases.length),
      failures: String(failures),
      errors: String(errors),
    });
    expect(sums).toEqual({ tests: cases.length, failures, errors });
    expect(cases).toHaveLength((report.judged?.checks.length ?? 0) + report.problems.length);
    expect(failures + errors > 0).toBe(exitOf(report) > 0);
  });

  test('a failure says the rule, the place and the mend', () => {
    const { cases } = parseJunit(postureJunit(bad));
    expect(cases.find(({ type }) => type === 'environment_unseal')).toMatchObject({
      suite: 'environment prod-eu',
      kind: 'failure',
      text: expect.stringMatching(/^ops\/posture\.yaml:25:13: unseal is auto, .*\ndo: make /),
    });
  });

  test('a file name that is markup stays a name, and what XML cannot hold is replaced', () => {
    const name = `a"<b>&'\u0001\ud800.yaml`;
    const { cases } = parseJunit(postureJunit(reportOn('nothing', name)));
    expect(cases.map(({ suite }) => suite)).toEqual([`a"<b>&'??.yaml`]);
  });
});

describe('JSON', () => {
  test('tells findings with places, and each flow with both verdicts', () => {
    const json = postureJson(bad) as { readonly findings: unknown[]; readonly flows: Record<string, unknown>[] };
    expect(json).toMatchObject({ conforms: false, usable: true, file: 'ops/posture.yaml' });
    expect(json.findings).toContainEqual({
      severity: 'error',
      rule: 'flow_lattice',
      about: 'flow records-database -> customer-records',
      line: expect.any(Number),
      column: 5,
      message: expect.stringContaining('below the M3'),
      mend: expect.any(String),
    });
    expect(json.flows.at(-1)).toMatchObject({
      conforms: false,
      release: { permitted: false },
      deliver: { permitted: false },
    });
  });

  test('of what is unusable tells the problems and nothing else', () => {
    expect(postureJson(unusable)).toEqual({
      conforms: false,
      usable: false,
      file: 'ops/posture.yaml',
      judged_at: '2026-11-01T12:00:00.000Z',
      problems: [expect.objectContaining({ line: 5, message: expect.stringContaining('by the name of its key') })],
    });
  });
});

describe('the page', () => {
  test('of the same report is the same bytes', () => {
    expect(posturePage(bad)).toBe(posturePage(bad));
  });

  test.each<[string, PostureReport]>([
    ['what conforms', good],
    ['what does not', bad],
    ['what is unusable', unusable],
    ['a hostile file name', reportOn(EXAMPLE, `"><script>alert(1)</script>.yaml`)],
  ])('of %s holds no script, no address to fetch, no style attribute', (_name, report) => {
    const page = posturePage(report);
    expect(page).not.toMatch(/<script|javascript:|<link|<img|<iframe|<object|@import|\son\w+=|\sstyle=/i);
    // marker references within the drawing are the only ones.
    expect(
      [...page.matchAll(/(?:href|src|url)\s*[=(]\s*"?([^")\s]*)/g)].filter(([, to]) => !to?.startsWith('#')),
    ).toEqual([]);
  });

  test('a manifest with thousands of flows is drawn in part, and the tables hold all of it', () => {
    const many = Array.from({ length: 300 }, (_, i) => i);
    const text = example(
      [
        'workloads:\n',
        `workloads:\n${many.map((i) => `  - { id: w${i}, environment: prod-eu, maturity: M1 }\n`).join('')}`,
      ],
      ['flows:\n', `flows:\n${many.map((i) => `  - { secret: npm-auth-token, workload: w${i} }\n`).join('')}`],
    );
    const page = posturePage(reportOn(text));
    expect(page).toMatch(/<p class="soft">2\d\d more flows are not drawn; the table has them\.<\/p>/);
    for (const i of many) expect(page).toContain(`<td><code>w${i}</code></td>`);
    expect(page.match(/<rect/g)?.length).toBeLessThan(200);
  });
});
