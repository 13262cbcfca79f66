import type { MaskedValue } from '../masker.ts';
import { asIs, ofBase64, ofByte, ofCharacter, ofHexByte, PADDING } from './spellings.ts';
import type { SymbolNode } from './symbols.ts';

/** A shorter value would be found everywhere: it is not masked, and said to be too short. */
export const SHORTEST_VALUE = 4;
/** A shorter line of a value of several, or text inside a JSON value, is not looked for alone. */
const SHORTEST_PART = 8;
/** Of a larger value, and of one of more parts, only the raw form is looked for: each form makes all output slower. */
const LARGEST_VALUE = 16 * 1024;
const MOST_PARTS = 64;

/** One form of one value. */
export interface Pattern {
  readonly route: string;
  readonly symbols: readonly SymbolNode[];
  /** How many of the symbols make a match; what follows them is masked too where it is there. */
  readonly required: number;
}

export interface Patterns {
  readonly patterns: readonly Pattern[];
  /** Routes with a value under `SHORTEST_VALUE` bytes, each once. */
  readonly tooShort: readonly string[];
}

/** Every form of every value that is looked for. */
export function patternsOf(values: readonly MaskedValue[]): Patterns {
  const patterns: Pattern[] = [];
  const tooShort = new Set<string>();
  const seen = new Set<string>();
  for (const { route, value } of values) {
    const bytes = value.reveal();
    if (trimmed(bytes).length < SHORTEST_VALUE) tooShort.add(route);
    const found = parts(bytes);
    const isLarge = bytes.length > LARGEST_VALUE || found.length > MOST_PARTS;
    for (const part of found) {
      const name = part.toString('latin1');
      if (seen.has(name)) continue;
      seen.add(name);
      if (isLarge) patterns.push(whole(route, [...part].map(asIs)));
      else patterns.push(...formsOf(route, part));
    }
  }
  return { patterns, tooShort: [...tooShort] };
}

/** The value, without what ends a line or pads it at its ends; its lines; and the texts in it where it is JSON. */
function parts(value: Buffer): Buffer[] {
  const whole = trimmed(value);
  if (whole.length < SHORTEST_VALUE) return [];
  const texts = textsIn(whole).map((text) => trimmed(Buffer.from(text, 'utf8')));
  const inner = [...texts, ...[whole, ...texts].flatMap(linesOf).map(trimmed)];
  return [whole, ...inner.filter((part) => part.length >= SHORTEST_PART)];
}

/** Of a JSON object or array: a program shows one of its texts rather than the whole. */
function textsIn(value: Buffer): string[] {
  if (value[0] !== 0x7b && value[0] !== 0x5b) return [];
  const texts: string[] = [];
  try {
    JSON.parse(value.toString('utf8'), (_key, inner: unknown) => {
      if (typeof inner === 'string') texts.push(inner);
      return inner;
    });
  } catch {
    // Then it is text that begins with a brace.
  }
  return texts;
}

function linesOf(value: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at <= value.length; ) {
    const end = value.indexOf(0x0a, at);
    lines.push(value.subarray(at, end < 0 ? value.length : end));
    at = end < 0 ? value.length + 1 : end + 1;
  }
  return lines;
}

/** Programs read a value from a file, and drop the newline at its end. */
function trimmed(value: Buffer): Buffer {
  const isBlank = (byte: number | undefined): boolean =>
    byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value[start])) start++;
  while (end > start && isBlank(value[end - 1])) end--;
  return value.subarray(start, end);
}

const whole = (route: string, symbols: SymbolNode[]): Pattern => ({ route, symbols, required: symbols.length });

function formsOf(route: string, value: Buffer): Pattern[] {
  const forms = [whole(route, spelled(value)), whole(route, [...value].map(ofHexByte))];
  for (const before of [0, 1, 2]) forms.push(base64(route, value, before));
  return forms;
}

/** A CR before a LF is one symbol with it: either may be all that is left of the two. */
function spelled(value: Buffer): SymbolNode[] {
  const symbols: SymbolNode[] = [];
  for (let at = 0; at < value.length; ) {
    const character = characterAt(value, at);
    if (character === null) {
      const isLineEnd = value[at] === 0x0d && value[at + 1] === 0x0a;
      at += isLineEnd ? 1 : 0;
      symbols.push(ofByte(value[at] ?? 0));
      at += 1;
      continue;
    }
    symbols.push(ofCharacter(character));
    const { length } = Buffer.from(character, 'utf8');
    for (const byte of value.subarray(at + 1, at + length)) symbols.push(ofByte(byte));
    at += length;
  }
  return symbols;
}

/** The character beyond ASCII that begins here; null: there is none. */
function characterAt(value: Buffer, at: number): string | null {
  const lead = value[at] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length === 0) return null;
  const bytes = value.subarray(at, at + length);
  const character = bytes.toString('utf8');
  return Buffer.from(character, 'utf8').equals(bytes) ? character : null;
}

/**
 * The value as it looks inside a base64 text, `before` bytes (0 to 2) into a group of three. At either end a letter
 * may hold bits of a neighbour: any letter that agrees in the value's own bits counts.
 */
function base64(route: string, value: Buffer, before: number): Pattern {
  const [firstBit, endBit] = [before * 8, (before + value.length) * 8];
  const byteAt = (at: number): number => value[at - before] ?? 0;
  const symbols: SymbolNode[] = [];
  for (let start = firstBit - (firstBit % 6); start < endBit; start += 6) {
    const first = start >> 3;
    const bits = (((byteAt(first) << 8) | byteAt(first + 1)) >> (10 - (start & 7))) & 63;
    const foreignBefore = Math.max(0, firstBit - start);
    const foreignAfter = Math.max(0, start + 6 - endBit);
    symbols.push(ofBase64(bits, (63 >> foreignBefore) & (63 << foreignAfter) & 63));
  }
  const padding = [0, 2, 1][(before + value.length) % 3] ?? 0;
  return { route, symbols: [...symbols, ...Array<SymbolNode>(padding).fill(PADDING)], required: symbols.length };
}
