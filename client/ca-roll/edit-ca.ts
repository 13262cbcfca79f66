import { isDeepStrictEqual } from 'node:util';
import { isMap, isPair, isScalar, isSeq, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { usageError } from '../args.ts';

/** `ca:` as it is written in warden.yaml. */
export interface WrittenCa {
  readonly key: string;
  readonly next: string | null;
  readonly retired: readonly string[];
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const HINT = 'write ca: { key: …, next: …, retired: […] } into warden.yaml yourself';

/**
 * The text of warden.yaml with other CA keys in it, and not a character of it changed elsewhere: comments and
 * layout are their author's. @throws WardenError invalid_request where the text is in a form that this cannot edit
 */
export function withCa(text: string, ca: WrittenCa): string {
  const document = parseDocument(text);
  if (!isMap(document.contents)) throw usageError('warden.yaml holds no settings', HINT);
  const pair = pairOf(document.contents, 'ca');
  const edited = pair === null ? appended(text, ca) : applied(text, editsOf(text, pair, ca));
  checkEdited(text, edited, ca);
  return edited;
}

function pairOf(map: YAMLMap, name: string): Pair | null {
  const found = map.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === name);
  return found ?? null;
}

function appended(text: string, ca: WrittenCa): string {
  const parts = Object.entries(ca).flatMap(([name, value]) => (isDefault(value) ? [] : [`${name}: ${inline(value)}`]));
  return `${text.endsWith('\n') || text === '' ? text : `${text}\n`}ca: { ${parts.join(', ')} }\n`;
}

function editsOf(text: string, pair: Pair, ca: WrittenCa): Edit[] {
  const map = pair.value;
  if (!isMap(map) || !map.range) throw usageError('ca: in warden.yaml is not written as a map', HINT);
  const edits: Edit[] = [];
  const missing: string[] = [];
  for (const [name, value] of Object.entries(ca)) {
    const there = pairOf(map, name);
    if (there === null) {
      if (!isDefault(value)) missing.push(`${name}: ${inline(value)}`);
      continue;
    }
    const [from, to] = extentOf(there.value);
    if (from === undefined || to === undefined) throw usageError(`ca.${name} in warden.yaml has no value`, HINT);
    if (text.slice(from, to).includes('#')) throw usageError(`ca.${name} in warden.yaml has comments inside`, HINT);
    // An empty value stands right behind its colon.
    edits.push({ from, to, text: `${from === to ? ' ' : ''}${inline(value)}` });
  }
  if (missing.length > 0) edits.push(insertion(text, map, missing));
  return edits;
}

/** Where a value stands. A block list goes to the end of its last entry, and not of that one's comment. */
function extentOf(value: unknown): readonly (number | undefined)[] {
  const [from, to] = (value as { range?: readonly number[] } | null)?.range ?? [];
  if (!isSeq(value) || value.flow === true) return [from, to];
  return [from, (value.items.at(-1) as { range?: readonly number[] } | undefined)?.range?.[1] ?? to];
}

function insertion(text: string, map: YAMLMap, parts: readonly string[]): Edit {
  const last = map.items.at(-1);
  const [, end] = extentOf(last?.value);
  if (map.flow === true) {
    const [start = 0] = map.range ?? [];
    const at = last === undefined ? start + 1 : end;
    if (at === undefined) throw usageError('ca: in warden.yaml ends with a key without a value', HINT);
    return { from: at, to: at, text: last === undefined ? ` ${parts.join(', ')} ` : `, ${parts.join(', ')}` };
  }
  const first = (map.items[0]?.key as { range?: readonly number[] } | undefined)?.range?.[0];
  if (first === undefined || end === undefined) throw usageError('ca: in warden.yaml is in a form of its own', HINT);
  const indent = first - (text.lastIndexOf('\n', first - 1) + 1);
  const lineEnd = text.indexOf('\n', end - 1);
  const at = lineEnd === -1 ? text.length : lineEnd;
  return { from: at, to: at, text: parts.map((part) => `\n${' '.repeat(indent)}${part}`).join('') };
}

function applied(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { from, to, text: by } of [...edits].sort((a, b) => b.from - a.from || b.to - a.to)) {
    result = result.slice(0, from) + by + result.slice(to);
  }
  return result;
}

/** What was meant, and nothing else: whatever form the file was in. */
function checkEdited(before: string, after: string, ca: WrittenCa): void {
  const was = parseDocument(before).toJS() as Record<string, unknown>;
  const document = parseDocument(after);
  const is = document.toJS() as Record<string, unknown>;
  const { ca: _, ...rest } = was;
  const { ca: now, ...others } = is;
  const { key, next = null, retired = [] } = (now ?? {}) as { key?: string; next?: string | null; retired?: string[] };
  const good = document.errors.length === 0 && isDeepStrictEqual(rest, others);
  if (good && isDeepStrictEqual({ key: key ?? ca.key, next, retired }, { ...ca })) return;
  throw usageError('ca: in warden.yaml is in a form that this cannot edit', HINT);
}

function isDefault(value: string | null | readonly string[]): boolean {
  return value === null || (Array.isArray(value) && value.length === 0);
}

function inline(value: string | null | readonly string[]): string {
  if (value === null) return 'null';
  if (typeof value !== 'string') return `[${value.map(inline).join(', ')}]`;
  return /^[A-Za-z0-9_./-]+$/.test(value) ? value : JSON.stringify(value);
}
