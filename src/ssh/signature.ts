import { createHash, verify } from 'node:crypto';
import { type Curve, KEY_TYPES } from './key-types.ts';
import { type PublicKey, publicKeyBody, toKeyObject } from './public-key.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/** What signatures are made with. `ssh-rsa` (SHA-1) is none of them, on purpose. */
export type SignatureAlgorithm =
  | 'ssh-ed25519'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'rsa-sha2-256'
  | 'rsa-sha2-512'
  | 'sk-ssh-ed25519@openssh.com'
  | 'sk-ecdsa-sha2-nistp256@openssh.com';

const RSA_HASHES = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);

/** What this authority signs with; rsa keys always with SHA-512. */
export function signatureAlgorithmOf(caKey: PublicKey): SignatureAlgorithm {
  return caKey.algorithm === 'ssh-rsa' ? 'rsa-sha2-512' : caKey.algorithm;
}

/** The hash for `crypto.sign` and `crypto.verify` under this algorithm; null for ed25519, which has its own. */
export function hashOf(algorithm: SignatureAlgorithm): string | null {
  if (algorithm === 'rsa-sha2-256' || algorithm === 'rsa-sha2-512') return RSA_HASHES.get(algorithm) ?? null;
  const type = KEY_TYPES[algorithm];
  return type.family === 'ecdsa' ? type.curve.hash : null;
}

/** The signature blob `string algorithm, string raw`. sk signatures need flags and counter too: their agents give whole blobs. */
export function encodeSignature(algorithm: SignatureAlgorithm, raw: Uint8Array): Buffer {
  return new WireWriter(raw.length + 64).string(algorithm).string(raw).finish();
}

/**
 * What `crypto.sign` gave, as SSH writes it: an ECDSA signature as two mpints, the others unchanged.
 * @throws WireError where an ECDSA signature is not of the form that `encoding` says
 */
export function rawSignatureFromNode(
  algorithm: SignatureAlgorithm,
  signature: Buffer,
  encoding: 'ieee-p1363' | 'der' = 'ieee-p1363',
): Buffer {
  const curve = curveOf(algorithm);
  if (curve === null) return signature;
  const [r, s] = encoding === 'der' ? splitDer(signature) : splitP1363(signature, curve);
  return new WireWriter(signature.length + 16).mpint(r).mpint(s).finish();
}

/**
 * Does `signatureBlob` sign `message` under `key`? False, never an error, for anything malformed, for another
 * key type's algorithm and for SHA-1. For sk keys user presence is not demanded: that is the verifier's policy,
 * and OpenSSH demands it of logins, not of certificates.
 */
export function verifySignature(key: PublicKey, message: Buffer, signatureBlob: Buffer): boolean {
  try {
    return verifyStrictly(key, message, signatureBlob);
  } catch {
    // WireError for malformed blobs; OpenSSL throws for some values where it could answer no.
    return false;
  }
}

/** The algorithm word of a signature blob, which need not be one that is accepted. @throws WireError */
export function signatureAlgorithmIn(signatureBlob: Buffer): string {
  return new WireReader(signatureBlob).utf8('the signature algorithm', 64);
}

function verifyStrictly(key: PublicKey, message: Buffer, blob: Buffer): boolean {
  const type = KEY_TYPES[key.algorithm];
  const reader = new WireReader(blob);
  const algorithm = reader.utf8('the signature algorithm', 64);
  const raw = reader.string('the signature');
  let signed = message;
  if (type.sk) signed = skMessage(key, message, reader);
  reader.end('the signature');
  if (type.family === 'rsa') {
    const hash = RSA_HASHES.get(algorithm);
    return hash !== undefined && raw.length === Math.ceil(key.bits / 8) && verify(hash, signed, toKeyObject(key), raw);
  }
  if (algorithm !== key.algorithm) return false;
  if (type.family === 'ed25519') return raw.length === 64 && verify(null, signed, toKeyObject(key), raw);
  const signature = joinP1363(raw, type.curve);
  return verify(type.curve.hash, signed, { key: toKeyObject(key), dsaEncoding: 'ieee-p1363' }, signature);
}

/** What an authenticator really signed: digests of application and message around its flags and counter (PROTOCOL.u2f). */
function skMessage(key: PublicKey, message: Buffer, reader: WireReader): Buffer {
  const flagsAndCounter = reader.raw(5, 'the flags and counter of the authenticator');
  const application = publicKeyBody(key).application;
  return Buffer.concat([sha256(application), flagsAndCounter, sha256(message)]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function curveOf(algorithm: SignatureAlgorithm): Curve | null {
  if (algorithm === 'rsa-sha2-256' || algorithm === 'rsa-sha2-512') return null;
  const type = KEY_TYPES[algorithm];
  return type.family === 'ecdsa' ? type.curve : null;
}

function splitP1363(signature: Buffer, curve: Curve): [Buffer, Buffer] {
  if (signature.length !== 2 * curve.bytes) throw new WireError('the ecdsa signature has the wrong length');
  return [signature.subarray(0, curve.bytes), signature.subarray(curve.bytes)];
}

/** Two mpints as two numbers of the curve's length each. */
function joinP1363(raw: Buffer, curve: Curve): Buffer {
  const reader = new WireReader(raw);
  const joined = Buffer.alloc(2 * curve.bytes);
  for (const [what, end] of [
    ['r of the signature', curve.bytes],
    ['s of the signature', 2 * curve.bytes],
  ] as const) {
    const number = reader.mpint(what, curve.bytes + 1);
    if (number.length > curve.bytes) throw new WireError(`${what} is too long`);
    joined.set(number, end - number.length);
  }
  reader.end('the ecdsa signature');
  return joined;
}

/** `SEQUENCE { INTEGER r, INTEGER s }` of what our own OpenSSL made: lengths are one byte, or 0x81 and one byte. */
function splitDer(der: Buffer): [Buffer, Buffer] {
  let offset = 0;
  const open = (tag: number): number => {
    if (der[offset] !== tag) throw new WireError('the ecdsa signature is not DER');
    const long = der[offset + 1] === 0x81;
    const length = der[offset + (long ? 2 : 1)] ?? 0x80;
    offset += long ? 3 : 2;
    if ((!long && length > 0x7f) || length > der.length - offset) throw new WireError('the ecdsa signature is not DER');
    return length;
  };
  const integer = (): Buffer => {
    const length = open(0x02);
    offset += length;
    return der.subarray(offset - length, offset);
  };
  if (open(0x30) !== der.length - offset) throw new WireError('the ecdsa signature is not DER');
  const pair: [Buffer, Buffer] = [integer(), integer()];
  if (offset !== der.length) throw new WireError('the ecdsa signature is not DER');
  return pair;
}
