import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPostureManifest } from '../../src/config/posture-manifest.ts';
import { EXAMPLE, example, manifestOf } from './support.ts';

const read = (text: string | Uint8Array) =>
  readPostureManifest('posture.yaml', typeof text === 'string' ? Buffer.from(text) : text);
const problemsOf = (text: string | Uint8Array) => {
  const result = read(text);
  return result.manifest === null ? result.problems : [];
};

describe('a manifest', () => {
  test('is read with the place of each of its parts', () => {
    const result = read('version: 1\nenvironments: []\nworkloads: []\nsecrets: []\nflows: []\n');
    expect(result.manifest).toBeNull();
    const whole = read(EXAMPLE);
    if (whole.manifest === null) throw new Error('the example is usable');
    const lines = EXAMPLE.split('\n');
    const unseal = whole.placeOf(['environments', 2, 'unseal']);
    expect(lines[unseal.line - 1]?.slice(unseal.column - 1)).toBe('shamir-3-of-5');
    const third = whole.placeOf(['flows', 2, 'secret']);
    expect(lines[third.line - 1]?.slice(third.column - 1)).toMatch(/^pypi-auth-token-test,/);
    // What is missing is shown where it should be.
    const missing = whole.placeOf(['environments', 0, 'audit', 'shipped_to']);
    expect(lines[missing.line - 1]).toContain('audit: { level: optional }');
  });

  test('may be written as JSON', () => {
    expect(manifestOf(JSON.stringify({ version: 1, ...strip(manifestOf(EXAMPLE)) }))).toEqual(manifestOf(EXAMPLE));
  });

  test('in the shape of the specification is usable', () => {
    const text = `version: 1
environments:
  - { id: prod-eu, posture: prod, backend: openbao-sealed, unseal: shamir-3-of-5, real_values: generated-fresh, reuse: forbidden, real_data: allowed,
      audit: { level: tamper-evident, shipped_to: s3://audit, last_restore_drill: 2026-09-01, last_break_glass_drill: 2026-09-01 }, break_glass: true }
workloads: [{ id: build, environment: prod-eu, maturity: M1 }]
secrets:   [{ id: npm-auth-token, environment: prod-eu, required_maturity: M1, data_class: internal, material_id: m-17 }]
flows:     [{ secret: npm-auth-token, workload: build }]
`;
    expect(manifestOf(text).environments[0]?.audit.last_restore_drill).toBe('2026-09-01');
  });
});

function strip(manifest: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(manifest)) as Record<string, unknown>;
}

describe('an unusable manifest names place and mend', () => {
  test.each<[string, string | Uint8Array, string, RegExp]>([
    ['an empty file', '', '1:1', /empty/],
    ['a list', '- a\n', '1:1', /must be a map/],
    ['no UTF-8', Buffer.from([0x76, 0xff, 0xfe]), '1:1', /not UTF-8/],
    ['another version', example(['version: 1', 'version: 2']), '4:10', /reads version 1/],
    [
      'a mistyped key',
      example(['unseal: none', 'unsael: none']),
      '9:5',
      /unknown key `unsael`; the nearest known key is `unseal`/,
    ],
    ['a word of its own', example(['unseal: none', 'unseal: magic']), '9:13', /must be one of none, single-key/],
    ['a missing key', example(['    reuse: forbidden\n', '']), '6:5', /`reuse` is missing/],
    ['a day that is none', example(['2026-09-01', '2026-02-30']), '32:27', /not a day/],
    ['a day in words', example(['2026-09-01', 'yesterday']), '32:27', /not a day/],
    ['an id that is no name', example(['id: laptop', 'id: "lap top"']), '36:11', /not a name/],
    ['a truth that is none', example(['break_glass: true', 'break_glass: yes']), '34:18', /must be true or false/],
    ['a key twice', example(['unseal: none', 'unseal: none\n    unseal: none']), '10:5', /stands twice/],
    [
      'no environments',
      'version: 1\nenvironments: []\nworkloads: []\nsecrets: []\nflows: []\n',
      '2:15',
      /says nothing/,
    ],
  ])('%s', (_name, text, place, message) => {
    const shown = problemsOf(text).map((problem) => `${problem.line}:${problem.column} ${problem.message}`);
    expect(
      shown.some((line) => line.startsWith(`${place} `) && message.test(line)),
      shown.join('\n'),
    ).toBe(true);
    for (const { hint } of problemsOf(text)) expect(hint).not.toBe('');
  });
});

const CANARY = 'Zx81Qm4wTn77LpRk93Vb';

describe('anything that looks like a value makes it unusable, told by its line alone', () => {
  test.each<[string, string, number]>([
    [
      'a value under a key of its own',
      example(['data_class: synthetic', `data_class: synthetic, value: ${CANARY}`]),
      42,
    ],
    [
      'a plain word under `password`',
      example(['data_class: synthetic', 'data_class: synthetic, password: hunter']),
      42,
    ],
    ['a number under `pin`', example(['data_class: synthetic', 'data_class: synthetic, pin: 4711']), 42],
    ['a list under `tokens`', example(['version: 1', 'version: 1\ntokens: [alpha, beta]']), 5],
    ['in the place of a name', example(['material_id: m-17', `material_id: ${CANARY}`]), 46],
    ['in the place of a key', example(['version: 1', `version: 1\n${CANARY}: 1`]), 5],
    ['in a comment', example(['flows:', `# it is ${CANARY}\nflows:`]), 49],
    ['in an address', example(['s3://audit', `https://warden:${CANARY}@audit.example.net/x`]), 31],
    ['hidden behind escapes', example(['id: laptop', `id: "\\x5a\\x78\\x38\\x31\\x51\\x6d\\x34wTn77LpRk93Vb"`]), 36],
    ['a private key in a block', example(['flows:', `note: |\n  -----BEGIN ${'PRIVATE'} KEY-----\n  abc\nflows:`]), 50],
    ['an age key', example(['flows:', `# AGE-SECRET-${'KEY'}-1ABC\nflows:`]), 49],
    ['in a file that is no YAML at all', `version: [1\n${CANARY}\n`, 2],
  ])('%s', (_name, text, line) => {
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.line)).toContain(line);
    for (const { message } of problems)
      expect(message).toMatch(/^this looks like .*: a manifest holds names, never values$/);
    expect(JSON.stringify(problems)).not.toMatch(new RegExp(`${CANARY}|hunter|4711|alpha`));
  });

  test('wherever it stands and however broken the file is, no problem quotes it', () => {
    fc.assert(
      fc.property(
        fc.nat(EXAMPLE.length),
        fc.constantFrom('', '"', "'", '|', '!', '*', '&', '%', '[', '{', '\t', '\n', ': ', '- '),
        fc.constantFrom('', '"', "'", ']', '}', ':', '\n', ' #'),
        (at, before, after) => {
          const text = EXAMPLE.slice(0, at) + before + CANARY + after + EXAMPLE.slice(at);
          expect(JSON.stringify(problemsOf(text))).not.toContain(CANARY);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a plain word in a file that breaks right there is not quoted either', () => {
    fc.assert(
      fc.property(
        fc.nat(EXAMPLE.length),
        fc.constantFrom('"', "'", '|', '!', '*', '%', '[', '{', ']', '}', '@', '`', '"\\q', ': ', '\t'),
        (at, before) => {
          const text = `${EXAMPLE.slice(0, at)}\nnote: ${before}hunter two${EXAMPLE.slice(at)}`;
          for (const { message } of problemsOf(text)) {
            if (/^(not valid YAML|unresolved tag)/.test(message)) expect(message).not.toContain('hunter');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
