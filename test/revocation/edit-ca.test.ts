import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { type WrittenCa, withCa } from '../../client/ca-roll/edit-ca.ts';

const BEGUN: WrittenCa = { key: 'ca_ed25519', next: 'ca_new', retired: [] };
const SWITCHED: WrittenCa = { key: 'ca_new', next: null, retired: ['old.pub'] };

describe('ca: in warden.yaml is edited', () => {
  test.each<[string, string, WrittenCa, string]>([
    [
      'on its line, comments and spaces kept',
      'version: 1\nposture: prod    # everything\nca: { key: ca_ed25519 }   # the key\n# more\nbackend: local\n',
      BEGUN,
      'version: 1\nposture: prod    # everything\nca: { key: ca_ed25519, next: ca_new }   # the key\n# more\nbackend: local\n',
    ],
    [
      'where everything is there already',
      'version: 1\nca: { key: ca_ed25519, next: ca_new, retired: [] } # c\nposture: dev\n',
      SWITCHED,
      'version: 1\nca: { key: ca_new, next: null, retired: [old.pub] } # c\nposture: dev\n',
    ],
    [
      'as a block, each comment beside its key',
      'version: 1\nca:\n  key: ca_ed25519   # signs\n  retired:          # no longer\n    - very-old.pub  # 2025\nposture: dev\n',
      { key: 'ca_new', next: null, retired: ['very-old.pub', 'old.pub'] },
      'version: 1\nca:\n  key: ca_new   # signs\n  retired:          # no longer\n    [very-old.pub, old.pub]  # 2025\nposture: dev\n',
    ],
    [
      'as a block with a key more',
      'ca:\n  key: ca_ed25519   # signs\nposture: dev\n',
      BEGUN,
      'ca:\n  key: ca_ed25519   # signs\n  next: ca_new\nposture: dev\n',
    ],
    [
      'where it was left out',
      'version: 1\nposture: dev',
      BEGUN,
      'version: 1\nposture: dev\nca: { key: ca_ed25519, next: ca_new }\n',
    ],
    ['where it is empty', 'version: 1\nca: {}\n', BEGUN, 'version: 1\nca: { key: ca_ed25519, next: ca_new }\n'],
    [
      'with what must be quoted',
      'ca: { key: a }\n',
      { key: 'agent:SHA256:x+y=', next: null, retired: [] },
      'ca: { key: "agent:SHA256:x+y=" }\n',
    ],
  ])('%s', (_, before, ca, after) => {
    expect(withCa(before, ca)).toBe(after);
  });

  test.each([
    ['it is no map', 'ca: ca_ed25519\n'],
    ['a key has an anchor that is used elsewhere', 'ca: { key: &k ca_ed25519 }\nx: *k\n'],
    ['it is an alias', 'y: &y { key: a }\nca: *y\n'],
    ['the file is no map', '- a\n'],
    ['a comment would be lost', 'ca:\n  key: a\n  retired:\n    - b # why\n    - c\n'],
  ])('or refused where %s', (_, text) => {
    expect(() => withCa(text, SWITCHED)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  test('or refused, but never into something that was not meant', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9_.]{0,8}$/);
    const ca = fc.record({ key: word, next: fc.option(word), retired: fc.uniqueArray(word, { maxLength: 3 }) });
    const space = fc.constantFrom('', ' ', '   ', ' # why\n');
    const layout = fc.record({
      before: fc.constantFrom('version: 1\n', '# first\nversion: 1\n\n'),
      form: fc.constantFrom('flow', 'block', 'none'),
      after: fc.constantFrom('', 'posture: dev # last\n', '\n# end\nlimits: { connections: 5 }\n'),
      space,
      shuffled: fc.shuffledSubarray(['key', 'next', 'retired'] as const, { minLength: 1 }),
    });
    fc.assert(
      fc.property(ca, ca, layout, (was, wanted, { before, form, after, space: gap, shuffled }) => {
        const parts = shuffled.map((name) => `${name}: ${JSON.stringify(was[name])}`);
        const end = gap.endsWith('\n') ? gap : `${gap}\n`;
        const written = {
          flow: `ca: { ${parts.join(', ')} }${end}`,
          block: `ca:\n${parts.map((part) => `  ${part}${end}`).join('')}`,
          none: '',
        }[form];
        const text = before + written + after;
        const edited = withCa(text, wanted);
        const { ca: now, ...rest } = parseDocument(edited).toJS();
        const { ca: _, ...others } = parseDocument(text).toJS();
        expect(rest).toEqual(others);
        expect({ next: null, retired: [], ...now }).toEqual(wanted);
        for (const comment of text.match(/#.*/g) ?? []) expect(edited).toContain(comment);
      }),
    );
  });
});
