import { ofBase64, ofByte, ofCharacter, ofHexByte, PADDING } from './spellings.ts';
import type { SymbolNode } from './symbols.ts';

/** One form of one value. Its symbols are made when they are asked for: long values cost no more than their bytes. */
export interface Pattern {
  readonly route: string;
  readonly length: number;
  /** How many of the symbols make a match; what follows them is masked too where it is there. */
  readonly required: number;
  /** Undefined beyond the last. */
  symbolAt(at: number): SymbolNode | undefined;
}

export function hex(route: string, value: Buffer): Pattern {
  const { length } = value;
  return { route, length, required: length, symbolAt: (at) => (at < length ? ofHexByte(value[at] ?? 0) : undefined) };
}

/** The value as it is, or with any of its characters escaped. A CR before a LF is one symbol with it. */
export function spelled(route: string, value: Buffer): Pattern {
  const bytes = value.includes('\r\n')
    ? Buffer.from(value.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
    : value;
  const { length } = bytes;
  const symbolAt = (at: number): SymbolNode | undefined => {
    if (at >= length) return undefined;
    const character = characterAt(bytes, at);
    return character === null ? ofByte(bytes[at] ?? 0) : ofCharacter(character);
  };
  return { route, length, required: length, symbolAt };
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
export function base64(route: string, value: Buffer, before: number): Pattern {
  const [firstBit, endBit] = [before * 8, (before + value.length) * 8];
  const firstLetter = firstBit - (firstBit % 6);
  const required = Math.ceil((endBit - firstLetter) / 6);
  const length = required + ([0, 2, 1][(before + value.length) % 3] ?? 0);
  const byteAt = (at: number): number => value[at - before] ?? 0;
  const symbolAt = (at: number): SymbolNode | undefined => {
    if (at >= required) return at < length ? PADDING : undefined;
    const start = firstLetter + at * 6;
    const first = start >> 3;
    const bits = (((byteAt(first) << 8) | byteAt(first + 1)) >> (10 - (start & 7))) & 63;
    const foreignBefore = Math.max(0, firstBit - start);
    const foreignAfter = Math.max(0, start + 6 - endBit);
    return ofBase64(bits, (63 >> foreignBefore) & (63 << foreignAfter) & 63);
  };
  return { route, length, required, symbolAt };
}
