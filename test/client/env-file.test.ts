// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a shell's variables are what is meant.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnvFileError, envFileText, parseEnvFile } from '../../client/exec/env-file.ts';

const plain = (text: string) => parseEnvFile(text).plain;
const refusal = (text: string): string => {
  try {
    parseEnvFile(text);
  } catch (error) {
    if (error instanceof EnvFileError) return `${error.line}: ${error.message}`;
    throw error;
  }
  return 'no error';
};

describe('an env file', () => {
  test.each<[string, string, [string, string][]]>([
    ['nothing', '', []],
    ['blank lines and comments', '\n  # A=1\n\t\n#\n', []],
    ['a value as it stands', 'A=one two', [['A', 'one two']]],
    ['no value', 'A=', [['A', '']]],
    ['spaces around', '  A = one \t\n', [['A', 'one']]],
    [
      'export before',
      'export A=1\nexport\tB=2',
      [
        ['A', '1'],
        ['B', '2'],
      ],
    ],
    ['a variable called export', 'export=1', [['export', '1']]],
    ['a comment behind a value', 'A=one # two', [['A', 'one']]],
    ['a # that begins no comment', 'A=one#two', [['A', 'one#two']]],
    ['a comment in place of a value', 'A=# none', [['A', '']]],
    ['an equals sign in the value', 'A=b=c==', [['A', 'b=c==']]],
    ['single quotes, literally', `A='one # $HOME \\n "two"'`, [['A', 'one # $HOME \\n "two"']]],
    ['double quotes with escapes', String.raw`A="a\n\t\r\"\\\$x"`, [['A', 'a\n\t\r"\\$x']]],
    [
      'a value over several lines',
      'A="one\ntwo"\nB=3',
      [
        ['A', 'one\ntwo'],
        ['B', '3'],
      ],
    ],
    ['a comment behind the quote', 'A="x" # y', [['A', 'x']]],
    [
      'nothing is expanded',
      'A=$HOME\nB="${A}"',
      [
        ['A', '$HOME'],
        ['B', '${A}'],
      ],
    ],
    [
      'line ends of another system, and a byte order mark',
      '\ufeffA=1\r\nB=2\r\n',
      [
        ['A', '1'],
        ['B', '2'],
      ],
    ],
    ['quotes inside a value', `A=it's`, [['A', "it's"]]],
    ['warden:// not at the start', 'A=x warden://r', [['A', 'x warden://r']]],
  ])('%s', (_name, text, variables) => {
    expect(parseEnvFile(text)).toEqual({ plain: variables, references: [] });
  });

  test('references, quoted or not, with and without a field, beside plain values', () => {
    const text = 'A=warden://npm-publish\nB="warden://db.reader/user_name"\nPORT=80\nexport C=\'warden://x/a@b\' # c\n';
    expect(parseEnvFile(text)).toEqual({
      references: [
        { variable: 'A', route: 'npm-publish', field: '' },
        { variable: 'B', route: 'db.reader', field: 'user_name' },
        { variable: 'C', route: 'x', field: 'a@b' },
      ],
      plain: [['PORT', '80']],
    });
  });

  test.each([
    ['a line that is none', 'A=1\nwhat is this', '2: no NAME=value'],
    ['a name that is none', '1A=x', '1: no NAME=value'],
    ['a quote that is never closed', 'A=1\nB="x\ny\n', '2: the quote is never closed'],
    ['something behind the quote', `A='x'y`, '1: something follows the closing quote'],
    ['a name twice', 'A=1\n\nA=2', '3: A stands in line 1 already'],
    ['a reference to nothing', 'A=warden://', '1: A is no reference: warden://ROUTE or warden://ROUTE/FIELD'],
    ['a reference with too much', 'A=warden://a/b/c', '1: A is no reference: warden://ROUTE or warden://ROUTE/FIELD'],
    ['a NUL', 'A=x\0y', '1: the value of A has a NUL in it'],
  ])('%s is refused with its line', (_name, text, error) => {
    expect(refusal(text)).toBe(error);
  });

  test('is UTF-8, or its line is named', () => {
    expect(envFileText(Buffer.from('A=café ✓\n'))).toBe('A=café ✓\n');
    expect(() => envFileText(Buffer.from('A=1\nB=caf\xe9\nC=3\n', 'latin1'))).toThrow(
      expect.objectContaining({ line: 2, message: 'not UTF-8' }),
    );
  });
  test('a reference in capitals is none, and no plain value either', () => {
    expect(refusal('A=1\nT=WARDEN://plain/a')).toMatch(/^2: T is no reference/);
  });
  test('a refusal quotes no value', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Z]{12}$/),
        fc.constantFrom('A="', "A='", 'A=warden:///', 'A=1\nA=', '='),
        (value, head) => {
          expect(refusal(`${head}${value}`)).not.toContain(value);
        },
      ),
    );
  });

  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
  const text = fc
    .string({ unit: 'grapheme' })
    .filter((s) => !s.includes('\0') && !s.includes('\r') && !s.startsWith('warden://'));
  test('whatever is put into double quotes comes back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, text), { selector: ([key]) => key }), (variables) => {
        const quoted = variables.map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`);
        expect(plain(quoted.join('\n'))).toEqual(variables);
      }),
    );
  });

  test('whatever is put into single quotes comes back, if it has none itself', () => {
    fc.assert(
      fc.property(
        name,
        text.filter((s) => !s.includes("'")),
        (key, value) => {
          expect(plain(`# first\nexport ${key}='${value}'   # last`)).toEqual([[key, value]]);
        },
      ),
    );
  });

  test('any bytes are read or refused, and never anything else', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '\n', '#', ' ', 'warden://', 'x/', '\r') }),
        (bytes) => {
          try {
            parseEnvFile(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(EnvFileError);
          }
        },
      ),
    );
  });
});
