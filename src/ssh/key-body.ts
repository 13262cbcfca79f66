import { ECDH } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import type { Curve, KeyType } from './key-types.ts';
import { WireError, type WireReader } from './wire.ts';

const MIN_RSA_BITS = 3072;
const MAX_RSA_BITS = 16384;
/** OpenSSL verifies nothing under a longer exponent once the modulus is over 3072 bits. */
const MAX_RSA_EXPONENT_BYTES = 8;
const MAX_APPLICATION_BYTES = 255;

/** The public numbers of a key: views into the bytes they were read from. */
export interface KeyBody {
  readonly bits: number;
  /** The 32 bytes of ed25519, or the uncompressed point of ecdsa. Empty for rsa. */
  readonly point: Buffer;
  /** rsa only: magnitudes without leading zeros. */
  readonly modulus: Buffer;
  readonly exponent: Buffer;
  /** sk keys only: the FIDO relying party, `ssh:` as a rule. */
  readonly application: Buffer;
}

const NONE = Buffer.alloc(0);

/**
 * Reads what follows the algorithm word in a public key, and the nonce in a certificate: the same bytes in both.
 * @throws WireError for a malformed key, WardenError public_key_too_weak | public_key_unsupported
 */
export function readKeyBody(reader: WireReader, type: KeyType): KeyBody {
  if (type.family === 'rsa') return readRsa(reader);
  const point = type.family === 'ed25519' ? readEd25519(reader) : readEcPoint(reader, type.curve);
  const bits = type.family === 'ed25519' ? 256 : type.curve.bits;
  return { bits, point, modulus: NONE, exponent: NONE, application: type.sk ? readApplication(reader) : NONE };
}

/**
 * The encodings, sign bit cleared, of the points of small order (cofactor 8) and of the coordinates that are not
 * below the prime. Under such a key anyone can make a signature that some verifier takes.
 */
const ED25519_SMALL_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
].map((hex) => Buffer.from(hex, 'hex'));

function readEd25519(reader: WireReader): Buffer {
  const point = reader.string('the ed25519 key');
  if (point.length !== 32) throw new WireError(`the ed25519 key is ${point.length} bytes long instead of 32`);
  const last = (point[31] ?? 0) & 0x7f;
  for (const weak of ED25519_SMALL_ORDER) {
    if (last === weak[31] && point.compare(weak, 0, 31, 0, 31) === 0) {
      throw new WardenError('public_key_too_weak', 'the ed25519 key is a point of small order, which protects nothing');
    }
  }
  if (last === 0x7f && (point[0] ?? 0) >= 0xed && allOnes(point)) {
    throw new WireError('the ed25519 key is not below the prime of its field');
  }
  return point;
}

function allOnes(point: Buffer): boolean {
  for (let i = 1; i < 31; i++) if (point[i] !== 0xff) return false;
  return true;
}

function readEcPoint(reader: WireReader, curve: Curve): Buffer {
  const name = reader.string('the curve name', 32);
  if (name.toString('latin1') !== curve.ssh)
    throw new WireError(`the curve of the key is not ${curve.ssh} as its type says`);
  const point = reader.string('the curve point');
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) {
    throw new WireError(`the curve point is not an uncompressed point of ${curve.ssh}`);
  }
  try {
    // OpenSSL decodes the point only where it lies on the curve; these curves have no points of small order.
    // A tenth of what making a KeyObject costs.
    ECDH.convertKey(point, curve.openssl);
  } catch {
    throw new WireError(`the curve point does not lie on ${curve.ssh}`);
  }
  return point;
}

function readRsa(reader: WireReader): KeyBody {
  const exponent = reader.mpint('the rsa exponent');
  const modulus = reader.mpint('the rsa modulus');
  const bits = modulus.length === 0 ? 0 : modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
  if (bits < MIN_RSA_BITS) {
    throw new WardenError('public_key_too_weak', `the rsa key has ${bits} bits; at least ${MIN_RSA_BITS} are needed`);
  }
  if (bits > MAX_RSA_BITS) {
    throw new WardenError(
      'public_key_unsupported',
      `the rsa key has ${bits} bits; at most ${MAX_RSA_BITS} are accepted`,
    );
  }
  if (((modulus.at(-1) ?? 0) & 1) === 0) throw new WireError('the rsa modulus is even');
  if (((exponent.at(-1) ?? 0) & 1) === 0) throw new WireError('the rsa exponent is even');
  if (exponent.length === 1 && exponent[0] === 1) {
    throw new WardenError('public_key_too_weak', 'the rsa exponent is 1, which protects nothing');
  }
  if (exponent.length > MAX_RSA_EXPONENT_BYTES) {
    throw new WardenError('public_key_unsupported', 'the rsa exponent is longer than 64 bits');
  }
  return { bits, point: NONE, modulus, exponent, application: NONE };
}

function readApplication(reader: WireReader): Buffer {
  const application = reader.string('the application of the security key', MAX_APPLICATION_BYTES);
  if (application.length === 0) throw new WireError('the application of the security key is empty');
  for (const byte of application) {
    if (byte <= 0x20 || byte >= 0x7f) throw new WireError('the application of the security key is not printable ASCII');
  }
  return application;
}
