import type { YamlEntry, YamlNode, YamlScalar } from './node.ts';
import { NotPlain } from './not-plain.ts';

/** A value on one line and the offset behind it. */
export interface Token {
  readonly node: YamlNode;
  readonly end: number;
}

const MAX_FLOW_DEPTH = 8;
const FLOW_KEY = /[A-Za-z_][A-Za-z0-9_-]*:(?= )/y;
const FLOW_PLAIN = /[^,[\]{}\n]+/y;

/** `[a, b]` or `{ k: v }` on one line. */
export function readFlow(text: string, start: number, depth: number): Token {
  if (depth > MAX_FLOW_DEPTH) throw new NotPlain();
  const isMap = text[start] === '{';
  const close = isMap ? '}' : ']';
  const items: YamlNode[] = [];
  const entries: YamlEntry[] = [];
  let at = skipSpaces(text, start + 1);
  if (text[at] !== close) {
    for (;;) {
      let keyStart = at;
      let key = '';
      if (isMap) {
        FLOW_KEY.lastIndex = at;
        if (!FLOW_KEY.test(text)) throw new NotPlain();
        key = text.slice(at, FLOW_KEY.lastIndex - 1);
        if (!isText(key)) throw new NotPlain();
        keyStart = at;
        at = skipSpaces(text, at + key.length + 1);
      }
      const token = readFlowValue(text, at, depth);
      if (isMap) entries.push({ key, start: keyStart, value: token.node });
      else items.push(token.node);
      at = skipSpaces(text, token.end);
      if (text[at] === close) break;
      if (text[at] !== ',' || text[at + 1] !== ' ') throw new NotPlain();
      at = skipSpaces(text, at + 1);
    }
  }
  const node: YamlNode = isMap ? { kind: 'map', start, entries } : { kind: 'seq', start, items };
  return { node, end: at + 1 };
}

function readFlowValue(text: string, at: number, depth: number): Token {
  const first = text[at];
  if (first === '[' || first === '{') return readFlow(text, at, depth + 1);
  if (first === '"' || first === "'") return readQuoted(text, at);
  FLOW_PLAIN.lastIndex = at;
  const plain = FLOW_PLAIN.test(text) ? text.slice(at, FLOW_PLAIN.lastIndex).trimEnd() : '';
  if (plain === '' || plain.includes(' #')) throw new NotPlain();
  return { node: readPlain(plain, at), end: at + plain.length };
}

/** A quoted text on one line without escapes. */
export function readQuoted(text: string, start: number): Token {
  const quote = text[start] ?? '';
  let close = start + 1;
  while (text[close] !== quote && text[close] !== '\n' && close < text.length) close += 1;
  if (text[close] !== quote || text[close + 1] === quote || text[close + 1] === ':') throw new NotPlain();
  const value = text.slice(start + 1, close);
  if (quote === '"' && value.includes('\\')) throw new NotPlain();
  return { node: { kind: 'scalar', start, value }, end: close + 1 };
}

/** A text without quotes, resolved as YAML's core schema does. */
export function readPlain(plain: string, start: number): YamlScalar {
  // What may begin otherwise than a plain text, or holds a colon that makes a key, is for the library.
  if (!/^[A-Za-z0-9_/.]/.test(plain) || /:(?: |$)/.test(plain)) throw new NotPlain();
  return { kind: 'scalar', start, value: resolve(plain) };
}

/** Whether a name stays a text when it is resolved: `null` and `true` do not. */
export function isText(name: string): boolean {
  return resolve(name) === name;
}

function resolve(plain: string): string | number | boolean | null {
  if (/^(?:true|True|TRUE)$/.test(plain)) return true;
  if (/^(?:false|False|FALSE)$/.test(plain)) return false;
  if (/^(?:null|Null|NULL)$/.test(plain)) return null;
  if (/^(?:0|[1-9]\d{0,14}|\d{1,9}\.\d{1,9})$/.test(plain)) return Number(plain);
  // Anything else that could be some spelling of a number; with two dots it is an address or a version.
  if (!/\..*\./.test(plain) && /^[.\d][\da-fA-FoxX.eE+_-]*$|^\.(?:inf|nan)$/i.test(plain)) throw new NotPlain();
  return plain;
}

function skipSpaces(text: string, at: number): number {
  let here = at;
  while (text[here] === ' ') here += 1;
  return here;
}
