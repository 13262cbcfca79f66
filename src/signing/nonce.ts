import { randomFillSync } from 'node:crypto';

const LENGTH = 32;
const pool = Buffer.allocUnsafeSlow(128 * LENGTH);
let used = pool.length;

/**
 * 32 fresh random bytes for a certificate. A call into OpenSSL for each costs a quarter of an ed25519 signature,
 * so they are drawn 128 at a time; a nonce stands in the certificate for all to read, so that nothing is lost by
 * its waiting in memory.
 */
export function freshNonce(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const nonce = Buffer.from(pool.subarray(used, used + LENGTH));
  used += LENGTH;
  return nonce;
}
