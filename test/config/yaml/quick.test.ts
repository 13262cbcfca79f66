import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quickYaml } from '../../../src/config/yaml/quick.ts';
import { readYaml } from '../../../src/config/yaml/read.ts';

/** What the two readers must never do: both answer, and differently. */
function expectAgreement(text: string): boolean {
  const quick = quickYaml(text);
  if (quick === null) return false;
  const slow = readYaml(text);
  expect(slow.faults, text).toEqual([]);
  expect(quick, text).toEqual(slow.root);
  return true;
}

describe('the quick reader reads what config files are mostly written in', () => {
  const plain = [
    ['a map', 'a: 1\nb: two\n'],
    ['no newline at the end', 'a: 1\nb: two'],
    ['nested maps', 'a:\n  b:\n    c: x\nd: y\n'],
    ['a list of maps', 'actors:\n  - name: agt-x\n    type: agt\n  - name: agt-y\n    type: agt\n'],
    ["a list in its key's own column", 'actors:\n- name: agt-x\n  type: agt\nhosts:\n- name: h\n'],
    ['a list inside a list entry', 'actors:\n  - name: x\n    principals:\n      - a\n      - b\n    type: agt\n'],
    ['one-line collections', 'a: [x, y]\nb: { c: 1, d: [p, q], e: {} }\nf: []\n'],
    ['flow maps as list entries', 'hosts:\n  - { name: h, addresses: [10.0.0.5] }\n  - [a, b]\n'],
    ['comments everywhere', '# top\na: 1 # one\n\n  # deeper\nb:   # two\n  # between\n  c: x#y\n#end'],
    ['quoted texts', 'a: "x: y # z"\nb: \'0660\'\nc: ["a, b", \'c\']\nd: ""\n'],
    ['nothing after a key', 'a:\nb: 1\nc:\n'],
    ['numbers, truth and null', 'a: 0\nb: 1.5\nc: true\nd: False\ne: null\nf: 12345\n'],
    ['texts that look like numbers', 'a: 10.0.0.0/8\nb: 90m\nc: 2001:db8::1\nd: 64MiB\ne: 50/s\n'],
    ['colons inside texts', 'a: iam:agt-x\nb: [tenant:platform, iam:x]\nc: http://127.0.0.1:8080\n'],
    ['texts outside ASCII', 'a: "Büro"\nb: Küche # ü\n'],
  ] as const;
  test.each(plain)('%s', (_name, text) => {
    expect(expectAgreement(text)).toBe(true);
  });
});

describe('the quick reader leaves to the library', () => {
  const others = [
    ['an empty text', ''],
    ['anchors', 'a: &x 1\nb: *x\n'],
    ['tags', 'a: !!str 1\n'],
    ['block texts', 'a: |\n  x\n'],
    ['a text over two lines', 'a: one\n  two\n'],
    ['a flow list over two lines', 'a: [x,\n  y]\n'],
    ['escapes', 'a: "x\\n"\n'],
    ['doubled quotes', "a: 'it''s'\n"],
    ['tabs', 'a:\t1\n'],
    ['carriage returns', 'a: 1\r\nb: 2\r\n'],
    ['document markers', '---\na: 1\n'],
    ['directives', '%YAML 1.2\n---\na: 1\n'],
    ['two documents', 'a: 1\n---\nb: 2\n'],
    ['octal, hexadecimal, exponents and signs', 'a: 0o17\n'],
    ['a nested map on one line', 'a: b: c\n'],
    ['an entry further in than its neighbours', 'a: 1\n  b: 2\n'],
    ['an entry further out than its list', '  a: 1\nb: 2\n'],
    ['a list of lists on one line', '- - a\n'],
    ['a flow list without its end', 'a: [x, y\n'],
    ['a quote without its end', 'a: "x\n'],
    ['a pair inside a list', 'a: [x: y]\n'],
    ['a key without a value in a flow map', 'a: { x }\n'],
    ['merge keys', '<<: x\n'],
    ['keys that are no names', 'null: 1\n'],
    ['a text after a quote', 'a: "x" y\n'],
  ] as const;
  test.each(others)('%s', (_name, text) => {
    expect(quickYaml(text)).toBeNull();
  });
});

const scalar = fc.constantFrom(
  'a',
  'agt-x',
  '1',
  '0.5',
  '08',
  '1e3',
  '.5',
  '-1',
  'true',
  'null',
  '~',
  '"q"',
  "'s'",
  '"a\\"',
  'x: y',
  'x:',
  ':x',
  'x #c',
  'x#c',
  '',
  '-',
  '- a',
  '?',
  '*a',
  '&a b',
  '!t',
  '|',
  '[a, b]',
  '[a,b]',
  '[ ]',
  '{ k: v }',
  '{k: v}',
  '{ k: v, k2: [1] }',
  '{',
  ']',
  '@',
  '%',
  '`',
  '10.0.0.0/8',
  '10.0.0.5',
  '1.2.',
  '0x1f',
  '0o7',
  '.inf',
  '+1',
  '1_000',
  'ü',
  '2024-01-01',
  '12:30',
  'iam:x',
  'a b',
  'a, b',
  'a]',
  '<<',
  '=',
);
const line = fc
  .tuple(
    fc.constantFrom('', '  ', '    ', '   ', '      ', '- ', '  - ', '    - ', '-   '),
    fc.constantFrom('', 'a: ', 'b: ', 'key: ', 'a:', '"k": ', 'null: ', '# '),
    scalar,
    fc.constantFrom('', ' ', ' # c', '#'),
  )
  .map((parts) => parts.join(''));

test('wherever both readers answer they answer the same, for lines put together at random', () => {
  let answered = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), fc.boolean(), (lines, newline) => {
      if (expectAgreement(lines.join('\n') + (newline ? '\n' : ''))) answered += 1;
    }),
    { numRuns: Number(process.env.WARDEN_YAML_RUNS ?? 4000) },
  );
  expect(answered).toBeGreaterThan(20);
});

test('wherever both readers answer they answer the same, for real files with random edits', () => {
  const base =
    'version: 1\nactors:\n  - name: agt-x\n    type: agt # an agent\n    principals: [a, "b"]\n    options: { source-address: 10.0.0.0/8, extensions: [] }\n    callers:\n      - uid: 1000\n        unit: x.service\n  - name: agt-y\n    type: agt\nhosts: []\n';
  let answered = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.nat(base.length),
          fc.nat(4),
          fc.constantFrom(
            '',
            ' ',
            '  ',
            '\n',
            ':',
            '-',
            '- ',
            '#',
            ' #',
            '"',
            "'",
            '[',
            ']',
            '{',
            '}',
            ',',
            'x',
            '0',
            '&',
            '*',
            '|',
            '\n  ',
            '\t',
          ),
        ),
        { minLength: 1, maxLength: 4 },
      ),
      (edits) => {
        let text = base;
        for (const [at, drop, put] of edits) text = text.slice(0, at) + put + text.slice(at + drop);
        if (expectAgreement(text)) answered += 1;
      },
    ),
    { numRuns: Number(process.env.WARDEN_YAML_RUNS ?? 4000) },
  );
  expect(answered).toBeGreaterThan(20);
});
