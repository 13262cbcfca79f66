import { isUtf8 } from 'node:buffer';

/** A reference to a field of a route. */
export interface FileReference {
  readonly variable: string;
  readonly route: string;
  /** "": the only one that the route has. */
  readonly field: string;
}

export interface EnvFile {
  readonly references: readonly FileReference[];
  /** Plain variables, in the order of the file. */
  readonly plain: readonly (readonly [name: string, value: string])[];
}

/** What is wrong with a line. It never quotes the line, which may hold anything. */
export class EnvFileError extends Error {
  override readonly name = 'EnvFileError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

const NAME = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]{0,127})[ \t]*=[ \t]*/;
/** A scheme is the same in capitals: what looks like a reference is one, or refused. */
const SCHEME = /^warden:\/\//i;
const REFERENCE = /^warden:\/\/([a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)(?:\/([A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}))?$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The text of the file: a byte that is none of UTF-8 would become another character of a value. @throws EnvFileError naming the line */
export function envFileText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const lines = bytes.toString('latin1').split('\n');
  throw new EnvFileError(1 + lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1'))), 'not UTF-8');
}

/**
 * A dotenv file: `NAME=value`, one a line, `export` before it allowed, `#` begins a comment at the start of a line or
 * after a space. In single quotes everything is literal, in double quotes `\n \r \t` and a backslash before anything
 * else; both may go over several lines. Nothing is expanded: `$HOME` is five characters. A value that is
 * `warden://route` or `warden://route/field` is a reference. Pure.
 * @throws EnvFileError naming the line
 */
export function parseEnvFile(text: string): EnvFile {
  const references: FileReference[] = [];
  const plain: [string, string][] = [];
  const lines = new Map<string, number>();
  let rest = text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
  let line = 1;
  const take = (length: number): void => {
    line += rest.slice(0, length).split('\n').length - 1;
    rest = rest.slice(length);
  };
  for (;;) {
    take(/^(?:[ \t\n]|#[^\n]*)*/.exec(rest)?.[0].length ?? 0);
    if (rest === '') return { references, plain };
    const at = line;
    const head = NAME.exec(rest);
    const name = head?.[1];
    if (head === null || name === undefined) throw new EnvFileError(at, 'no NAME=value');
    take(head[0].length);
    const { value, length } = readValue(rest, at);
    take(length);
    if (value.includes('\0')) throw new EnvFileError(at, `the value of ${name} has a NUL in it`);
    const before = lines.get(name);
    if (before !== undefined) throw new EnvFileError(at, `${name} stands in line ${before} already`);
    lines.set(name, at);
    if (!SCHEME.test(value)) {
      plain.push([name, value]);
      continue;
    }
    const [, route, field = ''] = REFERENCE.exec(value) ?? [];
    if (route === undefined)
      throw new EnvFileError(at, `${name} is no reference: warden://ROUTE or warden://ROUTE/FIELD`);
    references.push({ variable: name, route, field });
  }
}

/** The value at the start of `rest`, and how much of it that took, the rest of the line included. */
function readValue(rest: string, line: number): { value: string; length: number } {
  const quote = rest[0];
  if (quote !== '"' && quote !== "'") {
    const whole = /^[^\n]*/.exec(rest)?.[0] ?? '';
    const comment = whole.search(/(?:^|[ \t])#/);
    return { value: (comment === -1 ? whole : whole.slice(0, comment)).trim(), length: whole.length };
  }
  let value = '';
  for (let at = 1; at < rest.length; at++) {
    const character = rest[at] as string;
    if (character === quote) {
      const after = /^[ \t]*(?:#[^\n]*)?(?=\n|$)/.exec(rest.slice(at + 1));
      if (after === null) throw new EnvFileError(line, 'something follows the closing quote');
      return { value, length: at + 1 + after[0].length };
    }
    if (character === '\\' && quote === '"' && at + 1 < rest.length) {
      const next = rest[++at] as string;
      value += ESCAPES[next] ?? next;
    } else value += character;
  }
  throw new EnvFileError(line, 'the quote is never closed');
}
