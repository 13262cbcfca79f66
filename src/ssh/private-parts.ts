import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import { type Curve, KEY_TYPES } from './key-types.ts';
import { der, derChildren, derInteger, unsigned } from './private-der.ts';

/**
 * The numbers of a private key, unsigned and big-endian. Whoever gets parts wipes them: `wipeParts`.
 * Field names as in RFC 8032, SEC 1 and RFC 8017.
 */
export type PrivateParts =
  | { readonly kind: 'ed25519'; readonly seed: Buffer; readonly point: Buffer }
  | { readonly kind: 'ecdsa'; readonly curve: Curve; readonly d: Buffer; readonly point: Buffer }
  | {
      readonly kind: 'rsa';
      readonly n: Buffer;
      readonly e: Buffer;
      readonly d: Buffer;
      readonly p: Buffer;
      readonly q: Buffer;
      readonly qInv: Buffer;
    };

/** The DER object identifiers of the curves, by their SSH names. */
const CURVE_OIDS: Readonly<Record<string, Buffer>> = {
  nistp256: Buffer.from('06082a8648ce3d030107', 'hex'),
  nistp384: Buffer.from('06052b81040022', 'hex'),
  nistp521: Buffer.from('06052b81040023', 'hex'),
};

/** Everything of an Ed25519 PKCS#8 structure that stands before the seed (RFC 8410). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The numbers out of a private key object.
 * @throws WardenError config_invalid for a type that no authority here signs with
 */
export function privateParts(key: KeyObject): PrivateParts {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return edParts(key);
    case 'ec':
      return ecParts(key);
    case 'rsa':
      return rsaParts(key);
    default:
      throw unsupported(key.asymmetricKeyType ?? 'unknown');
  }
}

/**
 * A private key object out of its numbers. OpenSSL derives the public half of ed25519 and ecdsa itself; whether
 * it is the one expected, and whether the numbers of an rsa key belong together, is the caller's to check.
 * @throws WardenError config_invalid where OpenSSL takes the numbers for no key
 */
export function keyObjectOf(parts: PrivateParts): KeyObject {
  const [encoded, type] = encode(parts);
  try {
    return createPrivateKey({ key: encoded, format: 'der', type });
  } catch {
    throw damaged();
  } finally {
    encoded.fill(0);
  }
}

/** Overwrites what is secret. */
export function wipeParts(parts: PrivateParts): void {
  if (parts.kind === 'ed25519') parts.seed.fill(0);
  else if (parts.kind === 'ecdsa') parts.d.fill(0);
  else for (const secret of [parts.d, parts.p, parts.q, parts.qInv]) secret.fill(0);
}

export function unsupported(type: string): WardenError {
  return new WardenError('config_invalid', `a private key of type ${type} cannot be a certificate authority`, {
    hint: 'use ed25519, ecdsa p256/p384/p521 or rsa: ssh-keygen -t ed25519',
  });
}

function edParts(key: KeyObject): PrivateParts {
  const encoded = key.export({ format: 'der', type: 'pkcs8' });
  const spki = publicDer(key);
  try {
    return { kind: 'ed25519', seed: Buffer.from(encoded.subarray(-32)), point: Buffer.from(spki.subarray(-32)) };
  } finally {
    encoded.fill(0);
  }
}

function ecParts(key: KeyObject): PrivateParts {
  const name = key.asymmetricKeyDetails?.namedCurve;
  const curve = curveOf(name);
  const encoded = key.export({ format: 'der', type: 'sec1' });
  try {
    const [, scalar] = derChildren(encoded);
    if (scalar === undefined) throw unsupported('ecdsa');
    // SubjectPublicKeyInfo ends with the uncompressed point: 0x04, x, y.
    return { kind: 'ecdsa', curve, d: unsigned(scalar), point: publicDer(key).subarray(-(1 + 2 * curve.bytes)) };
  } finally {
    encoded.fill(0);
  }
}

function rsaParts(key: KeyObject): PrivateParts {
  const encoded = key.export({ format: 'der', type: 'pkcs1' });
  try {
    const [, n, e, d, p, q, , , qInv] = derChildren(encoded).map(unsigned);
    if (!n || !e || !d || !p || !q || !qInv) throw unsupported('rsa');
    return { kind: 'rsa', n, e, d, p, q, qInv };
  } finally {
    encoded.fill(0);
  }
}

function encode(parts: PrivateParts): [Buffer, 'pkcs8' | 'sec1' | 'pkcs1'] {
  if (parts.kind === 'ed25519') return [Buffer.concat([ED25519_PKCS8, parts.seed]), 'pkcs8'];
  if (parts.kind === 'ecdsa') return [encodeSec1(parts.curve, parts.d, parts.point), 'sec1'];
  const { n, e, d, p, q, qInv } = parts;
  // dp and dq are not in OpenSSH's format. BigInts cannot be overwritten; they go when the collector takes them.
  const dp = reduce(d, p);
  const dq = reduce(d, q);
  const elements = [Buffer.of(0), n, e, d, p, q, dp, dq, qInv].map(derInteger);
  const encoded = der(0x30, elements);
  for (const secret of [dp, dq, ...elements]) secret.fill(0);
  return [encoded, 'pkcs1'];
}

function encodeSec1(curve: Curve, d: Buffer, point: Buffer): Buffer {
  const oid = CURVE_OIDS[curve.ssh];
  if (oid === undefined || d.length > curve.bytes) throw damaged();
  const scalar = Buffer.alloc(curve.bytes);
  d.copy(scalar, curve.bytes - d.length);
  const secret = der(0x04, [scalar]);
  const bits = der(0x03, [Buffer.of(0), point]);
  const encoded = der(0x30, [derInteger(Buffer.of(1)), secret, der(0xa0, [oid]), der(0xa1, [bits])]);
  scalar.fill(0);
  secret.fill(0);
  return encoded;
}

function curveOf(openssl: string | undefined): Curve {
  for (const type of Object.values(KEY_TYPES)) {
    if (type.family === 'ecdsa' && !type.sk && type.curve.openssl === openssl) return type.curve;
  }
  throw unsupported(`ecdsa ${openssl ?? 'unknown'}`);
}

function damaged(): WardenError {
  return new WardenError('config_invalid', 'the private key is damaged: its numbers make no key', {
    hint: 'put back the key file from its backup',
  });
}

/** d mod (prime - 1) */
function reduce(d: Buffer, prime: Buffer): Buffer {
  const modulus = toBigInt(prime) - 1n;
  if (modulus <= 0n) throw damaged();
  const hex = (toBigInt(d) % modulus).toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function toBigInt(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}

function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' });
}
