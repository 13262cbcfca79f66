import type { Masker } from './masker.ts';

const PIECE_BYTES = 4 * 1024;
const TURN_MS = 5;

/** As `Masker.push`. Hostile output can make masking slow: after a while the event loop gets its turn for all others. */
export async function maskBetweenTurns(
  masker: Masker,
  chunk: Uint8Array,
  monotonic: () => number,
): Promise<Uint8Array> {
  if (chunk.length <= PIECE_BYTES) return masker.push(chunk);
  const masked: Uint8Array[] = [];
  let began = monotonic();
  for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
    if (monotonic() - began > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      began = monotonic();
    }
    masked.push(masker.push(chunk.subarray(at, at + PIECE_BYTES)));
  }
  return Buffer.concat(masked);
}
