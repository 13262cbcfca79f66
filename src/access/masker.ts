import type { Secret } from '../kernel/secret.ts';

/** A value that must not show, and what stands in its place: `[masked:ROUTE]`. */
export interface MaskedValue {
  readonly route: string;
  readonly value: Secret;
}

/**
 * Replaces values in one stream of output. Pure but for its own state: bytes in, bytes out. One per stream, since a
 * value may be split over chunks of one stream and never over two.
 */
export interface Masker {
  /** What may leave now. Holds back only bytes that may be the start of a value. The answer may share memory with `chunk`. */
  push(chunk: Uint8Array): Uint8Array;
  /**
   * What need not wait any longer, to be called once the stream has been quiet for a moment (some 10 ms): whoever types
   * wants to see each letter, and almost any letter may begin a value. Releases at most the first three characters of
   * a possible value; its rest would still be masked. Empty where nothing is held, or more than that.
   */
  settle(): Uint8Array;
  /** What was held back, once the stream has ended. */
  end(): Uint8Array;
}
