import { KEY_TYPES, type KeyAlgorithm, type KeyType } from './key-types.ts';
import type { PrivateParts } from './private-parts.ts';
import { WireError, type WireReader, type WireWriter } from './wire.ts';

/** Holds the private fields of any key that is accepted: a writer that grew would leave the old bytes behind. */
export const PRIVATE_CAPACITY = 32 * 1024;

function algorithmOf(parts: PrivateParts): KeyAlgorithm {
  if (parts.kind === 'ed25519') return 'ssh-ed25519';
  return parts.kind === 'rsa' ? 'ssh-rsa' : (`ecdsa-sha2-${parts.curve.ssh}` as KeyAlgorithm);
}

/** The public key blob. */
export function writePublicFields(writer: WireWriter, parts: PrivateParts): void {
  writer.string(algorithmOf(parts));
  if (parts.kind === 'ed25519') writer.string(parts.point);
  else if (parts.kind === 'ecdsa') writer.string(parts.curve.ssh).string(parts.point);
  else writer.mpint(parts.e).mpint(parts.n);
}

/** Type word and fields as key files and agents hold a private key (PROTOCOL.key; draft-ietf-sshm-ssh-agent, 3.2). */
export function writePrivateFields(writer: WireWriter, parts: PrivateParts): void {
  writer.string(algorithmOf(parts));
  if (parts.kind === 'ed25519') {
    writer.string(parts.point).nested((inner) => inner.raw(parts.seed).raw(parts.point));
  } else if (parts.kind === 'ecdsa') {
    writer.string(parts.curve.ssh).string(parts.point).mpint(parts.d);
  } else {
    writer.mpint(parts.n).mpint(parts.e).mpint(parts.d).mpint(parts.qInv).mpint(parts.p).mpint(parts.q);
  }
}

/** The same for a key that goes with a certificate: the certificate stands where the public numbers would. */
export function writeCertifiedFields(writer: WireWriter, parts: PrivateParts, certificate: Buffer): void {
  writer.string(KEY_TYPES[algorithmOf(parts)].certificate).string(certificate);
  if (parts.kind === 'ed25519') {
    writer.string(parts.point).nested((inner) => inner.raw(parts.seed).raw(parts.point));
  } else if (parts.kind === 'ecdsa') {
    writer.mpint(parts.d);
  } else {
    writer.mpint(parts.d).mpint(parts.qInv).mpint(parts.p).mpint(parts.q);
  }
}

/** Reads what follows the type word. The parts are views into the reader's bytes. @throws WireError */
export function readPrivateFields(reader: WireReader, type: KeyType): PrivateParts {
  if (type.family === 'ed25519') {
    const point = exactly(reader.string('the ed25519 public key'), 32);
    const secret = exactly(reader.string('the ed25519 private key'), 64);
    if (!secret.subarray(32).equals(point)) throw new WireError('the two halves of the ed25519 key differ');
    return { kind: 'ed25519', seed: secret.subarray(0, 32), point };
  }
  if (type.family === 'ecdsa') {
    const name = reader.string('the curve name', 32).toString('latin1');
    if (name !== type.curve.ssh) throw new WireError('the curve is not the one that the key type says');
    const point = exactly(reader.string('the curve point'), 1 + 2 * type.curve.bytes);
    return { kind: 'ecdsa', curve: type.curve, point, d: reader.mpint('the scalar', type.curve.bytes + 1) };
  }
  const n = reader.mpint('the modulus');
  const e = reader.mpint('the exponent');
  const d = reader.mpint('the private exponent');
  const qInv = reader.mpint('the coefficient');
  const p = reader.mpint('the first prime');
  return { kind: 'rsa', n, e, d, p, q: reader.mpint('the second prime'), qInv };
}

function exactly(bytes: Buffer, length: number): Buffer {
  if (bytes.length !== length) throw new WireError(`a field is ${bytes.length} bytes long instead of ${length}`);
  return bytes;
}
