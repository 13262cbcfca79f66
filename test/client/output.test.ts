import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clean, columns, escapeJson, Output, toJson } from '../../client/output.ts';

/** An Output whose streams are remembered. */
function screen(options: { tty?: boolean; json?: boolean; quiet?: boolean; env?: Record<string, string> } = {}) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: options.tty ?? false,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const out = new Output({
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    env: options.env ?? {},
  });
  return { out, written };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const STEERING = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;

describe('what is printed', () => {
  test('no text of anyone else steers a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, tty) => {
        const { out, written } = screen({ tty });
        out.line('a', text, { text, style: 'red' });
        out.error(text);
        const own = `${written.stdout}${written.stderr}`.replaceAll('\u001b[31m', '').replaceAll('\u001b[0m', '');
        expect(own.replaceAll('\n', '')).not.toMatch(STEERING);
        expect(written.stdout.split('\n')).toHaveLength(2);
      }),
    );
  });

  test('JSON stays the same value, and is printable', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = toJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(STEERING);
      }),
    );
  });

  test('bigints become numbers where they fit, else decimal text', () => {
    expect(toJson({ a: 42n, b: 2n ** 64n - 1n })).toBe('{"a":42,"b":"18446744073709551615"}');
  });

  test('an escaped JSON text is the same JSON', () => {
    expect(escapeJson('{"a":"\u202e\u{e0001}"}')).toBe('{"a":"\\u202e\\udb40\\udc01"}');
  });

  test('notes are left out with --quiet and with --json, answers are not', () => {
    for (const mode of [{ quiet: true }, { json: true }]) {
      const { out, written } = screen(mode);
      out.note('nice to know');
      out.line('answer');
      expect(written.stdout).toBe('answer\n');
    }
  });

  test('columns are as wide as their widest cell, without spaces at the end', () => {
    expect(
      columns([
        ['a', 'bb', ''],
        ['ccc', 'd', 'e\u001b'],
      ]),
    ).toEqual(['a    bb', 'ccc  d   e?']);
  });

  test('line ends and tabs become spaces, so that one line stays one', () => {
    expect(clean('a\nb\tc\rd')).toBe('a b c?d');
  });
});
