import { Http2Error } from './http2-error.ts';

/**
 * How many bits each byte takes in HPACK's Huffman code (RFC 7541, appendix B), `a` for five and so on; the last is
 * the end of a string. The code is canonical: the lengths say all of it.
 */
const LENGTHS =
  'isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabcc' +
  'ccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttv' +
  'svwvvwwwwwxwwwwwvz';
const SHORTEST = 5;
const LONGEST = 30;
const END = 256;

/** The symbols by the length of their codes in bits, and the first code of each length. */
interface Codes {
  readonly symbols: readonly (readonly number[])[];
  readonly first: readonly number[];
}

let known: Codes | null = null;

/** Made when the first coded text comes, since a start-up pays for all that is made before. */
function codes(): Codes {
  if (known !== null) return known;
  const symbols: number[][] = Array.from({ length: LONGEST + 1 }, () => []);
  for (let symbol = 0; symbol <= END; symbol++) symbols[LENGTHS.charCodeAt(symbol) - 97 + SHORTEST]?.push(symbol);
  const first = [0];
  for (let bits = 1; bits <= LONGEST; bits++)
    first[bits] = ((first[bits - 1] ?? 0) + (symbols[bits - 1]?.length ?? 0)) * 2;
  known = { symbols, first };
  return known;
}

/** @throws Http2Error for what no encoder writes */
export function decodeHuffman(bytes: Buffer): Buffer {
  const { symbols, first } = codes();
  const out: number[] = [];
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let at = 7; at >= 0; at--) {
      code = code * 2 + ((byte >> at) & 1);
      bits += 1;
      const symbol = symbols[bits]?.[code - (first[bits] ?? 0)];
      if (symbol === undefined) {
        if (bits >= LONGEST) throw new Http2Error('a text that is no Huffman code');
        continue;
      }
      if (symbol === END) throw new Http2Error('a text with an end in the middle');
      out.push(symbol);
      code = 0;
      bits = 0;
    }
  }
  // The rest of the last byte is the beginning of the end's code, which is ones.
  if (bits > 7 || code !== 2 ** bits - 1) throw new Http2Error('a text that is cut short');
  return Buffer.from(out);
}
