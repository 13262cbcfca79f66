import { createPublicKey, verify } from 'node:crypto';
import { parseCertificate } from './certificate.ts';
import { fingerprint } from './fingerprint.ts';
import { certificateTypeOf } from './key-types.ts';
import { parsePublicKeyBlob } from './public-key.ts';
import { verifySignature } from './signature.ts';
import { WireReader } from './wire.ts';

/** Hosts have rsa keys that nobody would certify today; OpenSSH itself still takes 1024 bits from them. */
const MIN_HOST_RSA_BYTES = 256;
const MAX_HOST_RSA_BYTES = 2048;
const RSA_HASHES = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);

/**
 * Did the host with this key (or certificate) make the signature? Never throws: what cannot be read is no. Unlike
 * the keys that are certified, host keys may be rsa of 2048 bits.
 */
export function verifyHostSignature(hostKey: Buffer, message: Buffer, signature: Buffer): boolean {
  try {
    const word = new WireReader(hostKey).utf8('the key type', 64);
    if (certificateTypeOf(word) !== undefined) {
      return verifySignature(parseCertificate(hostKey).publicKey, message, signature);
    }
    if (word === 'ssh-rsa') return verifyRsa(hostKey, message, signature);
    return verifySignature(parsePublicKeyBlob(hostKey), message, signature);
  } catch {
    return false;
  }
}

/** What `ssh-keygen -l` prints for the host key, of a certificate for the key in it. For keys that were verified. */
export function hostFingerprint(hostKey: Buffer): string {
  const word = new WireReader(hostKey).utf8('the key type', 64);
  return fingerprint(certificateTypeOf(word) === undefined ? hostKey : parseCertificate(hostKey).publicKey.blob);
}

function verifyRsa(hostKey: Buffer, message: Buffer, signature: Buffer): boolean {
  const key = new WireReader(hostKey);
  key.string('the key type');
  const e = key.mpint('the rsa exponent', 9);
  const n = key.mpint('the rsa modulus', MAX_HOST_RSA_BYTES + 1);
  key.end('the key');
  const given = new WireReader(signature);
  const hash = RSA_HASHES.get(given.utf8('the signature algorithm', 64));
  const raw = given.string('the signature');
  given.end('the signature');
  if (hash === undefined || n.length < MIN_HOST_RSA_BYTES || raw.length !== n.length) return false;
  const jwk = { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
  return verify(hash, message, createPublicKey({ key: jwk, format: 'jwk' }), raw);
}
