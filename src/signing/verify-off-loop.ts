import { verify } from 'node:crypto';
import { KEY_TYPES } from '../ssh/key-types.ts';
import { type PublicKey, toKeyObject } from '../ssh/public-key.ts';
import { hashOf, signatureAlgorithmOf, verifySignature } from '../ssh/signature.ts';
import { WireReader } from '../ssh/wire.ts';

/**
 * The same answer as `verifySignature`, with the arithmetic on the thread pool: verifying ed25519 takes three
 * times as long as signing it, and the loop has other requests to serve meanwhile. False for anything malformed.
 */
export function verifyOffLoop(key: PublicKey, message: Buffer, signatureBlob: Buffer): Promise<boolean> {
  const raw = plainSignature(key, signatureBlob);
  if (raw === null) return Promise.resolve(verifySignature(key, message, signatureBlob));
  const hash = hashOf(signatureAlgorithmOf(key));
  return new Promise((resolve) => {
    verify(hash, message, { key: toKeyObject(key), dsaEncoding: 'ieee-p1363' }, raw, (error, good) => {
      resolve(error === null && good);
    });
  });
}

/** What node:crypto takes; null for all but sound ed25519 and ecdsa signatures, which `verifySignature` judges. */
function plainSignature(key: PublicKey, blob: Buffer): Buffer | null {
  const type = KEY_TYPES[key.algorithm];
  if (type.sk || type.family === 'rsa') return null;
  try {
    const reader = new WireReader(blob);
    if (reader.utf8('the signature algorithm', 64) !== key.algorithm) return null;
    const raw = reader.string('the signature');
    reader.end('the signature');
    if (type.family === 'ed25519') return raw.length === 64 ? raw : null;
    return joined(new WireReader(raw), type.curve.bytes);
  } catch {
    return null;
  }
}

function joined(reader: WireReader, bytes: number): Buffer | null {
  const r = reader.mpint('r of the signature', bytes + 1);
  const s = reader.mpint('s of the signature', bytes + 1);
  reader.end('the ecdsa signature');
  if (r.length > bytes || s.length > bytes) return null;
  const both = Buffer.alloc(2 * bytes);
  both.set(r, bytes - r.length);
  both.set(s, 2 * bytes - s.length);
  return both;
}
