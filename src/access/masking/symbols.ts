/**
 * One element of a pattern, and all the ways it may be written: a small tree of bytes. `%2f`, `%2F`, `\/` and `/` are
 * one symbol. A node where the symbol may be complete may have children still: `%` is itself, and begins `%25`.
 */
export interface SymbolNode {
  /** Unique in its symbol; under 256. */
  readonly id: number;
  readonly next: ReadonlyMap<number, SymbolNode>;
  /** How many symbols may end here: 0 none, 1 this one, more where one spelling stands for a whole character. */
  readonly ends: number;
}

interface Growing {
  readonly id: number;
  readonly next: Map<number, Growing>;
  ends: number;
}

/** Bytes that are alike at one place of a spelling. */
type Place = readonly number[];

export type Spelling = readonly Place[];

/** A symbol from its spellings, none of them empty; `wide` ones stand for `width` symbols, this one the first. */
export function symbolOf(spellings: readonly Spelling[], wide: readonly Spelling[] = [], width = 1): SymbolNode {
  let nodes = 0;
  const grow = (): Growing => ({ id: nodes++, next: new Map(), ends: 0 });
  const root = grow();
  for (const spelling of [...spellings, ...wide]) {
    let node = root;
    for (const place of spelling) {
      const known = place.map((byte) => node.next.get(byte)).find((child) => child !== undefined);
      const child = known ?? grow();
      for (const byte of place) if (!node.next.has(byte)) node.next.set(byte, child);
      node = child;
    }
    node.ends = wide.includes(spelling) ? width : 1;
  }
  return root;
}

/** Text as places: each byte alone. */
export function exactly(text: string): Place[] {
  return [...Buffer.from(text, 'latin1')].map((byte) => [byte]);
}

/** Text as places: letters in either case. */
export function eitherCase(text: string): Place[] {
  return [...text].map((letter) =>
    [...new Set([letter.toLowerCase(), letter.toUpperCase()])].map((one) => one.charCodeAt(0)),
  );
}
