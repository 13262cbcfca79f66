/** Of each byte its letter: bytes that mean the same to every form of every value share one, and so a cell of a table. */
export interface Alphabet {
  readonly letters: Uint8Array;
  /** 256 at most. */
  readonly size: number;
}

/**
 * All spellings but that of a byte by itself are printable ASCII or line breaks, and so are gaps but for the escape
 * character. What is neither, nor in a value, can only end a candidate.
 */
export function alphabetOf(values: readonly Uint8Array[]): Alphabet {
  const own = new Set<number>([0x0a, 0x0d, 0x1b]);
  for (let byte = 0x20; byte <= 0x7e; byte++) own.add(byte);
  for (const value of values) for (const byte of value) own.add(byte);
  const letters = new Uint8Array(256);
  // Letter 0 is that of all others, where there are any.
  let size = own.size < 256 ? 1 : 0;
  for (const byte of own) letters[byte] = size++;
  return { letters, size };
}
