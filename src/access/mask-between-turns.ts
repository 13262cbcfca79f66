import type { Masker } from './masker.ts';

const FIRST_BYTES = 256;
const MOST_BYTES = 4 * 1024;
const TURN_MS = 5;

/**
 * `push` of a masker, which gives the event loop its turn for all others after a while: hostile output can make masking
 * slow, and a value that repeats itself a thousand times over. How much goes into one piece follows from how long the
 * last one took. For one stream, one chunk after the other.
 */
export function maskingBetweenTurns(
  masker: Masker,
  monotonic: () => number,
): (chunk: Uint8Array) => Promise<Uint8Array> {
  let bytes = FIRST_BYTES;
  return async (chunk) => {
    const masked: Uint8Array[] = [];
    let began = monotonic();
    let before = began;
    for (let at = 0; at < chunk.length; ) {
      if (before - began > TURN_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        began = monotonic();
        before = began;
      }
      masked.push(masker.push(chunk.subarray(at, at + bytes)));
      at += bytes;
      const now = monotonic();
      if (now - before > TURN_MS) bytes = Math.max(1, bytes >> 3);
      else if (now - before < TURN_MS / 4) bytes = Math.min(MOST_BYTES, bytes * 2);
      before = now;
    }
    return masked.length === 1 ? (masked[0] as Uint8Array) : Buffer.concat(masked);
  };
}
