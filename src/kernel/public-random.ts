import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Fresh random bytes for what everybody may read: nonces of certificates, request ids. A call into OpenSSL for
 * each costs a quarter of an ed25519 signature, so they are drawn many at a time; that they wait in memory until
 * then makes them unfit for secrets. At most 64 bytes.
 */
export function publicRandom(length: number): Buffer {
  if (used + length > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.from(pool.subarray(used, used + length));
  used += length;
  return bytes;
}
