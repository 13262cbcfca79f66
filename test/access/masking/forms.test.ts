import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { prepareMask } from '../../../src/access/masking/create-masker.ts';
import { masked, outputOf, values } from './support.ts';

const PLAIN = 'correct-horse_battery';
const HARD = `p@ss/w"or'd\\ <&>+\t€é😀=%4$1`;
const KEY = ['-----BEGIN TEST KEY-----', 'MC4CAQAwBQYDK2VwBCIEIB', 'x+/y', '-----END TEST KEY-----'].join('\n');

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = (text: string): string => Buffer.from(text).toString('hex');
const percentAll = (text: string): string => hex(text).replaceAll(/../g, '%$&');
const unicode = (text: string): string =>
  text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const FORMS: readonly [string, (value: string) => string][] = [
  ['as it is', (value) => value],
  ['with CRLF for LF', (value) => value.replaceAll('\n', '\r\n')],
  ['base64', base64],
  ['base64 without padding', (value) => base64(value).replaceAll('=', '')],
  ['base64 of the URL alphabet', (value) => Buffer.from(value).toString('base64url')],
  ['base64 in lines of 76, as base64(1) writes', (value) => base64(value).replaceAll(/.{76}/g, '$&\n')],
  ['base64 in lines of 8', (value) => base64(value).replaceAll(/.{8}/g, '$&\n')],
  ['base64, percent-encoded', (value) => encodeURIComponent(base64(value))],
  ['base64 in JSON that escapes slashes', (value) => base64(value).replaceAll('/', '\\/')],
  ['hex in lower case', hex],
  ['hex in upper case', (value) => hex(value).toUpperCase()],
  ['percent-encoded where needed', encodeURIComponent],
  [
    'percent-encoded in lower case',
    (value) => encodeURIComponent(value).replaceAll(/%../g, (code) => code.toLowerCase()),
  ],
  ['percent-encoded as a path', encodeURI],
  ['percent-encoded as a form', (value) => new URLSearchParams({ v: value }).toString().slice(2)],
  ['percent-encoded in every byte', percentAll],
  ['JSON', inJson],
  ['JSON that escapes slashes', (value) => inJson(value).replaceAll('/', '\\/')],
  ['JSON in ASCII', (value) => inJson(value).replaceAll(/[^ -~]/g, unicode)],
  ['JSON with every unit escaped', unicode],
  [
    'JSON with every unit escaped in upper case',
    (value) => unicode(value).replaceAll(/\\u(....)/g, (_, code) => `\\u${code.toUpperCase()}`),
  ],
  ['JSON inside JSON', (value) => inJson(inJson(value))],
  ['single quotes of a shell', (value) => value.replaceAll("'", "'\\''")],
  ['double quotes of a shell', (value) => value.replaceAll(/["\\$`]/g, '\\$&')],
  [
    'HTML',
    (value) => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  ],
  ['HTML of template engines', (value) => value.replaceAll(/[&<>"'/=`+]/g, (one) => `&#x${hex(one).toUpperCase()};`)],
  ['HTML in decimal', (value) => value.replaceAll(/[<>"'/=`+]/g, (one) => `&#${one.charCodeAt(0)};`)],
  ['single quotes of SQL and YAML', (value) => value.replaceAll("'", "''")],
  ['double quotes of CSV', (value) => value.replaceAll('"', '""')],
  ['a unit file', (value) => value.replaceAll('%', '%%')],
  ['a Compose file', (value) => value.replaceAll('$', '$$$$')],
  ['bytes as Python writes them', (value) => hex(value).replaceAll(/../g, '\\x$&')],
];

describe('a value is found in every form of it', () => {
  it.each(FORMS)('%s', (_, form) => {
    for (const value of [PLAIN, HARD, KEY]) expect(masked(values(value), `<${form(value)}>`)).toBe('<[masked:r0]>');
  });

  it.each(FORMS)('%s, split at every position', (_, form) => {
    for (const value of [PLAIN, HARD, KEY]) {
      const text = `left ${form(value)} right`;
      const mask = prepareMask(values(value));
      const shown = (cuts: readonly number[]): string => outputOf(mask.masker(), Buffer.from(text), cuts).toString();
      for (let cut = 0; cut <= text.length; cut++) expect(shown([cut])).toBe('left [masked:r0] right');
      expect(shown([...Array(text.length).keys()])).toBe('left [masked:r0] right');
    }
  });

  it.each(['', 'a', 'ab', 'abc', 'user:'])('base64 of it behind %j and before anything', (before) => {
    for (const after of ['', 'x', 'xy', '\n', 'xyz ']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const text = Buffer.from(`${before}${PLAIN}${after}`).toString(encoding);
        const shown = masked(values(PLAIN), text);
        expect(shown).toContain('[masked:r0]');
        // What is left are letters of the neighbours alone.
        expect(shown.replace('[masked:r0]', '').length).toBeLessThanOrEqual(
          Math.ceil(((before.length + after.length) * 4) / 3) + 2,
        );
      }
    }
  });

  it('what programs that nobody here wrote make of it', () => {
    const script = [
      'import sys, json, base64, urllib.parse, html, shlex, binascii, quopri',
      'v = sys.stdin.buffer.read(); t = v.decode()',
      'out = [json.dumps(t), json.dumps(t, ensure_ascii=False), urllib.parse.quote(t), urllib.parse.quote_plus(t),',
      '  html.escape(t), shlex.quote(t), repr(t), repr(v), base64.encodebytes(v).decode(), binascii.hexlify(v).decode()]',
      'sys.stdout.write("\\n<>\\n".join(out))',
    ].join('\n');
    for (const value of [PLAIN, HARD, KEY, `${HARD}\n${HARD}`]) {
      const python = spawnSync('python3', ['-c', script], { input: value });
      const bash = spawnSync('bash', [
        '-c',
        `LC_ALL=C.UTF-8; printf "%q\\n<>\\n" "$1"; printf "%s\\n<>\\n" "\${1@Q}"`,
        '-',
        value,
      ]);
      expect([python.status, bash.status]).toEqual([0, 0]);
      const shown = masked(values(value), Buffer.concat([python.stdout, Buffer.from('\n<>\n'), bash.stdout]));
      const pieces = shown.split('\n<>\n');
      expect(pieces).toHaveLength(13);
      for (const piece of pieces.slice(0, 12)) expect(piece).toMatch(/^(b|\$)?["']?\[masked:r0\]["']?\n?$/);
    }
  });
});

describe('what may lie between two characters of a value', () => {
  const secret = values(PLAIN);
  it.each([
    ['a line wrap of a terminal', '\r\n', ''],
    ['a newline', '\n', ''],
    ['the wrap of readline', ' \r', ''],
    ['a colour', '\x1b[31m', '\x1b[31m'],
    ['a colour of three bytes, and a wrap', '\r\n\x1b[38;2;1;2;3m', '\x1b[38;2;1;2;3m'],
    ['the cursor moved', '\x1b[12;1H', ''],
    ['the line erased', '\x1b[K', ''],
    ['another character set, and attributes off', '\x1b(B\x1b[m', '\x1b[m'],
  ])('%s', (_, gap, kept) => {
    for (let at = 4; at < PLAIN.length; at++) {
      const text = `x ${PLAIN.slice(0, at)}${gap}${PLAIN.slice(at)} y`;
      expect(masked(secret, text)).toBe(`x [masked:r0]${kept} y`);
      expect(
        masked(
          secret,
          text,
          [...text].map((_, index) => index),
        ),
      ).toBe(`x [masked:r0]${kept} y`);
    }
  });

  it('a newline behind its first three characters shows those and masks the rest', () => {
    expect(masked(secret, `x ${PLAIN.slice(0, 3)}\n${PLAIN.slice(3)} y`)).toBe('x cor\n[masked:r0] y');
  });

  it('a colour between every two', () => {
    const between = PLAIN.length - 1;
    expect(masked(secret, PLAIN.split('').join('\x1b[1m'))).toBe(`[masked:r0]${'\x1b[1m'.repeat(between)}`);
  });

  it('what a sequence that is text itself carries is searched as well', () => {
    expect(masked(secret, `\x1b]0;${PLAIN}\x07`)).toBe('\x1b]0;[masked:r0]\x07');
  });

  it('a short value is found in one piece only', () => {
    expect(masked(values('1234'), '1\n2\n3\n4\n 1234')).toBe('1\n2\n3\n4\n [masked:r0]');
  });

  it.each([20, 33, 80])('what readline writes into a terminal of %d columns', (columns) => {
    const value = 'synthetic-4b221369bb5c7ea9e5b9f7fc';
    // Typed, shown again from the history, and printed.
    const { status, stdout } = spawnSync(
      'script',
      ['-qec', `stty cols ${columns} rows 24; exec bash --noprofile --norc -i`, '/dev/null'],
      {
        input: `echo ${value}\r\x1b[A # ${value}\rexit\r`,
        env: { PATH: process.env.PATH ?? '', TERM: 'xterm-256color', HOME: '/nonexistent', PS1: '$ ', HISTFILE: '' },
        timeout: 20_000,
      },
    );
    expect(status).toBe(0);
    const mask = prepareMask(values(value));
    for (const cuts of [[], [...Array(stdout.length).keys()]]) {
      const shown = outputOf(mask.masker(), stdout, cuts).toString('latin1');
      expect(shown.match(/\[masked:r0\]/g)?.length).toBeGreaterThanOrEqual(4);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal does not show
      const seen = shown.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|[\r\n]| \r/g, '');
      for (let at = 0; at + 8 <= value.length; at++) expect(seen).not.toContain(value.slice(at, at + 8));
    }
  });

  it('endless colours between two characters hold nothing for ever', () => {
    const text = Buffer.from(`correct-${'\x1b[0m'.repeat(100_000)}`);
    expect(masked(secret, text)).toBe(text.toString('latin1'));
  });
});

describe('values of several lines, short values, and several values', () => {
  it('each line of eight bytes or more is masked alone, in every form', () => {
    const lines = KEY.split('\n');
    expect(masked(values(KEY), `a\n${lines[1]}\nb`)).toBe('a\n[masked:r0]\nb');
    expect(masked(values(KEY), base64(`xx${lines[1]}yy`))).toContain('[masked:r0]');
    expect(masked(values(KEY), `a ${lines[2]} b`)).toBe('a x+/y b');
  });

  it('each text of eight bytes or more in a JSON value, and its lines', () => {
    const account = JSON.stringify({ type: 'x', id: 12345678, keys: [{ private_key: `${KEY}\n` }, 'short'] });
    for (const value of [account, JSON.stringify(JSON.parse(account), null, 2)]) {
      expect(masked(values(value), value)).toBe('[masked:r0]');
      expect(masked(values(value), `a ${KEY} b`)).toBe('a [masked:r0] b');
      expect(masked(values(value), `a\n${KEY.split('\n')[1]}\nb`)).toBe('a\n[masked:r0]\nb');
      expect(masked(values(value), 'a short x b')).toBe('a short x b');
    }
    expect(masked(values('{not json at all'), 'a {not json at all')).toBe('a [masked:r0]');
  });

  it.each([
    ['of more than 16 KiB', Array.from({ length: 20 }, (_, at) => `${at}:${'0123456789abcdef'.repeat(60)}`)],
    ['of more than 128 lines', Array.from({ length: 140 }, (_, at) => `line ${at} of the bundle`)],
  ])('a value %s is found in every form, and so are its lines', (_, lines) => {
    const value = lines.join('\n');
    const mask = prepareMask(values(value));
    const shown = (text: string): string => outputOf(mask.masker(), Buffer.from(text), [5, 1000, 1001]).toString();
    for (const [, form] of FORMS) {
      expect(shown(`<${form(value)}>`)).toBe('<[masked:r0]>');
      expect(shown(`<${form(lines[7] ?? '')}>`)).toBe('<[masked:r0]>');
    }
    expect(shown(`a\n${lines.at(-1)}\nb`)).toBe('a\n[masked:r0]\nb');
    expect(shown(`a\n${lines.at(-1)?.split('').join('\x1b[1m')}\nb`)).toContain('[masked:r0]');
  });

  it('of a value of more than 128 lines those after them are not found alone in base64 and hex', () => {
    const lines = Array.from({ length: 140 }, (_, at) => `line ${at} of the bundle`);
    const mask = prepareMask(values(lines.join('\n')));
    const shown = (text: string): string => outputOf(mask.masker(), Buffer.from(text)).toString();
    // Each form of so many would slow all output: docs/exec.md says so.
    for (const form of [hex, base64]) {
      expect(shown(form(lines[126] ?? ''))).toBe('[masked:r0]');
      expect(shown(form(lines[127] ?? ''))).not.toContain('masked');
    }
  });

  it.each<[string, (value: string) => string]>([
    ['as they are', (value) => value],
    ['as LF', (value) => value.replaceAll('\r', '')],
    ['JSON', inJson],
    ['JSON inside JSON', (value) => inJson(inJson(value))],
    ['JSON inside JSON with every unit escaped', (value) => inJson(unicode(value))],
    ['JSON with every unit escaped', unicode],
    ['percent-encoded', percentAll],
    ['hex escapes', (value) => hex(value).replaceAll(/../g, '\\x$&')],
    ['octal escapes', (value) => value.replaceAll('\r', '\\015').replaceAll('\n', '\\012')],
    ['an attribute of XML', (value) => value.replaceAll('\r', '&#xD;').replaceAll('\n', '&#xA;')],
    ['an attribute of HTML', (value) => value.replaceAll('\r', '&#13;').replaceAll('\n', '&#10;')],
    ['text of XML', (value) => value.replaceAll('\r', '&#xD;')],
  ])('a value of lines that are too short to be looked for alone and end in CRLF: %s', (_, form) => {
    const value = 'user me\r\npw is x\r\n\r\n\tend';
    expect(masked(values(value), `<${form(value)}>`)).toBe('<[masked:r0]>');
  });

  it('a newline at the end of a value is not part of it', () => {
    expect(masked(values('hunter2hunter2\n'), 'hunter2hunter2 and hunter2hunter2\n')).toBe(
      '[masked:r0] and [masked:r0]\n',
    );
  });

  it('the longest of several that begin alike', () => {
    expect(masked(values('token', 'token-of-prod', 'token-of'), 'token-of-prod token-of-p token x')).toBe(
      '[masked:r1] [masked:r2]-p [masked:r0] x',
    );
  });

  it('values that overlap leave nothing of either', () => {
    expect(masked(values('abcdefgh', 'efghijkl'), '<abcdefghijkl>')).toBe('<[masked:r0][masked:r1]>');
    expect(masked(values('abcabc'), '<abcabcabc>')).toBe('<[masked:r0]>');
    expect(masked(values('abcabc'), '<abcabcabcabc>')).toBe('<[masked:r0]>');
  });

  it('binary values', () => {
    const value = Buffer.from([0, 1, 0xff, 0xfe, 0x1b, 0x5b, 0x33, 0x0a, 0x80, 0xc3]);
    expect(masked(values(value), Buffer.concat([Buffer.from('<'), value, Buffer.from('>')]))).toBe('<[masked:r0]>');
    expect(masked(values(value), value.toString('hex'))).toBe('[masked:r0]');
  });
});
