import { createPublicKey, type KeyObject } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import { type KeyBody, readKeyBody } from './key-body.ts';
import { decodeBase64, isPrintable, joinKeyLine, splitKeyLine } from './key-line.ts';
import {
  certificateTypeOf,
  isCertificateWord,
  KEY_TYPES,
  type KeyAlgorithm,
  type KeyType,
  keyTypeOf,
} from './key-types.ts';
import { WireError, WireReader } from './wire.ts';

export type { KeyAlgorithm };

/** A public key that was read strictly: whoever holds one may rely on its being well-formed and strong enough. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  /** The wire encoding. Not to be written to. */
  readonly blob: Buffer;
  readonly bits: number;
  /** Printable, possibly empty. */
  readonly comment: string;
}

/** Bytes of a blob and characters of a line: an rsa key of 16384 bits needs about 2,800. */
const MAX_LENGTH = 16 * 1024;

/** Key types of OpenSSH that are refused, by what a person calls them. */
const REFUSED_WORDS = new Map([
  ['ssh-dss', 'dsa keys are not accepted'],
  ['ssh-rsa1', 'keys of SSH protocol 1 are not accepted'],
  ['ssh-xmss@openssh.com', 'xmss keys are not accepted'],
  ['rsa-sha2-256', 'rsa-sha2-256 is a signature algorithm; the key type of rsa keys is ssh-rsa'],
  ['rsa-sha2-512', 'rsa-sha2-512 is a signature algorithm; the key type of rsa keys is ssh-rsa'],
]);

/**
 * Reads one line of a .pub file: `type base64 comment`, a line end allowed, no authorized_keys options.
 * @throws WardenError public_key_malformed | public_key_unsupported | public_key_too_weak | public_key_is_certificate
 */
export function parsePublicKeyLine(text: string): PublicKey {
  return asPublicKeyError(() => {
    refuseOtherFiles(text);
    const line = splitKeyLine(text, MAX_LENGTH);
    if (keyTypeOf(line.word) === undefined) refuseWord(line.word, text);
    return readBlob(decodeBase64(line.base64, 'the key after its type'), line.comment, line.word);
  });
}

/**
 * Reads the wire encoding. The blob is copied. A comment must be printable.
 * @throws WardenError public_key_malformed | public_key_unsupported | public_key_too_weak | public_key_is_certificate
 */
export function parsePublicKeyBlob(blob: Buffer, comment = ''): PublicKey {
  return asPublicKeyError(() => {
    if (blob.length > MAX_LENGTH) throw new WireError(`the key is longer than ${MAX_LENGTH} bytes`);
    if (!isPrintable(comment)) throw new WireError('the comment holds control or invisible characters');
    return readBlob(Buffer.from(blob), comment, null);
  });
}

/** `type base64 comment` without a line end. @throws WardenError invalid_request where the comment is not printable */
export function formatPublicKey(key: PublicKey, comment: string = key.comment): string {
  try {
    return joinKeyLine(key.algorithm, key.blob, comment);
  } catch (error) {
    throw new WardenError('invalid_request', (error as Error).message, { cause: error });
  }
}

/** The key's numbers: views into its blob. */
export function publicKeyBody(key: PublicKey): KeyBody {
  const reader = new WireReader(key.blob);
  reader.string('the key type');
  return readKeyBody(reader, KEY_TYPES[key.algorithm]);
}

const keyObjects = new WeakMap<PublicKey, KeyObject>();

/** The key for node:crypto; of an sk key the inner one. Made once for each PublicKey object. */
export function toKeyObject(key: PublicKey): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = makeKeyObject(publicKeyBody(key), KEY_TYPES[key.algorithm]);
  keyObjects.set(key, made);
  return made;
}

function makeKeyObject(body: KeyBody, type: KeyType): KeyObject {
  if (type.family === 'ecdsa') {
    const spki = Buffer.concat([type.curve.spkiPrefix, body.point]);
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  }
  const jwk =
    type.family === 'ed25519'
      ? { kty: 'OKP', crv: 'Ed25519', x: body.point.toString('base64url') }
      : { kty: 'RSA', n: body.modulus.toString('base64url'), e: body.exponent.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

function readBlob(blob: Buffer, comment: string, word: string | null): PublicKey {
  const reader = new WireReader(blob);
  const inner = reader.string('the key type', 64).toString('latin1');
  const type = keyTypeOf(inner);
  if (type === undefined) {
    refuseWord(inner, '');
  }
  if (word !== null && word !== inner) throw new WireError(`the line says ${word} and the key in it is ${inner}`);
  const { bits } = readKeyBody(reader, type);
  reader.end('the key');
  return { algorithm: type.algorithm, blob, bits, comment };
}

/** Names what the word is instead of a key type, without repeating it: it may be a secret pasted by mistake. */
function refuseWord(word: string, line: string): never {
  if (certificateTypeOf(word) !== undefined || isCertificateWord(word)) {
    throw new WardenError('public_key_is_certificate', 'this is a certificate, not a public key');
  }
  const refused = REFUSED_WORDS.get(word);
  if (refused !== undefined) throw new WardenError('public_key_unsupported', refused);
  const words = line.split(/[ \t]+/).slice(1);
  if (words.some((later) => keyTypeOf(later) !== undefined)) {
    throw new WireError('something stands before the key type; authorized_keys options are not accepted');
  }
  throw new WardenError('public_key_unsupported', 'the key type is none that is accepted');
}

/** Files that people hand over by mistake deserve their own sentence. */
function refuseOtherFiles(text: string): void {
  if (!text.startsWith('---')) return;
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new WardenError('public_key_malformed', 'this is a private key', {
      hint: 'keep it to yourself and give the .pub file beside it: ssh-keygen -y -f KEY prints the public key',
    });
  }
  throw new WardenError('public_key_malformed', 'this is a PEM or RFC 4716 block, not an OpenSSH public key line', {
    hint: 'convert it: ssh-keygen -i -f FILE (add -m PKCS8 for PEM)',
  });
}

function asPublicKeyError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new WardenError('public_key_malformed', error.message, { cause: error });
  }
}
