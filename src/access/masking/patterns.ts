import type { MaskedValue } from '../masker.ts';
import { type Alphabet, alphabetOf } from './alphabet.ts';
import { base64, hex, type Pattern, spelled } from './forms.ts';

/** A shorter value would be found everywhere: it is not masked, and said to be too short. */
export const SHORTEST_VALUE = 4;
/** A shorter line of a value of several, or text inside a JSON value, is not looked for alone. */
const SHORTEST_PART = 8;
/** Of more parts than that only the written form is looked for: each that an ordinary byte may begin makes output slower. */
const MOST_PARTS = 128;

export interface Patterns {
  readonly patterns: readonly Pattern[];
  readonly alphabet: Alphabet;
  /** Routes with a value under `SHORTEST_VALUE` bytes, each once. */
  readonly tooShort: readonly string[];
}

/** Every form of every value that is looked for. */
export function patternsOf(values: readonly MaskedValue[]): Patterns {
  const patterns: Pattern[] = [];
  const all: Buffer[] = [];
  const tooShort = new Set<string>();
  const seen = new Set<string>();
  for (const { route, value } of values) {
    const bytes = value.reveal();
    if (trimmed(bytes).length < SHORTEST_VALUE) tooShort.add(route);
    for (const [index, part] of parts(bytes).entries()) {
      const name = part.toString('latin1');
      if (seen.has(name)) continue;
      seen.add(name);
      all.push(part);
      patterns.push(spelled(route, part));
      if (index >= MOST_PARTS) continue;
      patterns.push(hex(route, part), ...[0, 1, 2].map((before) => base64(route, part, before)));
    }
  }
  return { patterns, alphabet: alphabetOf(all), tooShort: [...tooShort] };
}

/** The value, without what ends a line or pads it at its ends; its lines; and the texts in it where it is JSON. */
function parts(value: Buffer): Buffer[] {
  // A copy: the value may be disposed of while its forms are looked for.
  const whole = Buffer.from(trimmed(value));
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
