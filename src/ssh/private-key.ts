import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { closeArmor, isOpenSshPrivateKey, openArmor } from './armor.ts';
import { type KeyType, keyTypeOf } from './key-types.ts';
import { PRIVATE_CAPACITY, readPrivateFields, writePrivateFields, writePublicFields } from './private-fields.ts';
import { keyObjectOf, type PrivateParts, privateParts, unsupported, wipeParts } from './private-parts.ts';
import { type PublicKey, parsePublicKeyBlob } from './public-key.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

const MAGIC = Buffer.from('openssh-key-v1\0');
const BLOCK = 8;
/** OpenSSL's errors for these say no more than "interrupted". */
const ENCRYPTED_PEM = ['-----BEGIN ENCRYPTED PRIVATE KEY-----', 'Proc-Type: 4,ENCRYPTED'];

/** A private key in this process. The key object does not give its bytes away by accident; nothing else holds them. */
export interface PrivateKey {
  readonly publicKey: PublicKey;
  readonly keyObject: KeyObject;
  readonly comment: string;
}

/**
 * Reads a private key file: OpenSSH's own format, or PEM (PKCS#8, PKCS#1, SEC 1), unencrypted. The caller wipes
 * the file's bytes; all copies made here are wiped.
 * @throws WardenError config_invalid | public_key_too_weak
 */
export function parsePrivateKey(file: Buffer): PrivateKey {
  if (!isOpenSshPrivateKey(file)) return fromPem(file);
  return withOuter(file, (outer) => {
    if (outer.cipher !== 'none' || outer.kdf !== 'none') throw encrypted();
    if (outer.kdfOptions.length > 0) throw new WireError('options of a key derivation stand in an unencrypted file');
    return readSection(outer.section, parsePublicKeyBlob(outer.publicBlob));
  });
}

/**
 * The public half of a private key file, also of an encrypted one (then without a comment: that is inside).
 * @throws WardenError config_invalid | public_key_…
 */
export function publicKeyOfFile(file: Buffer): PublicKey {
  if (!isOpenSshPrivateKey(file)) return fromPem(file).publicKey;
  return withOuter(file, (outer) => {
    if (outer.cipher !== 'none') return parsePublicKeyBlob(outer.publicBlob);
    return readSection(outer.section, parsePublicKeyBlob(outer.publicBlob)).publicKey;
  });
}

/** The key as an unencrypted file of OpenSSH's format. The caller wipes it once it is written. */
export function formatPrivateKey(key: Pick<PrivateKey, 'keyObject' | 'comment'>): Buffer {
  const parts = privateParts(key.keyObject);
  const writer = new WireWriter(PRIVATE_CAPACITY);
  writer.raw(MAGIC).string('none').string('none').string('').uint32(1);
  writer.nested((inner) => writePublicFields(inner, parts));
  const check = randomBytes(4);
  const section = new WireWriter(PRIVATE_CAPACITY).raw(check).raw(check);
  writePrivateFields(section, parts);
  const body = section.string(key.comment).finish();
  writer.nested((inner) => {
    inner.raw(body);
    for (let pad = 1; (body.length + pad - 1) % BLOCK !== 0; pad++) inner.uint8(pad);
  });
  const bytes = writer.finish();
  const file = closeArmor(bytes);
  wipeParts(parts);
  body.fill(0);
  bytes.fill(0);
  return file;
}

/** A key object with its public half read strictly. @throws WardenError config_invalid | public_key_too_weak */
export function privateKeyOf(keyObject: KeyObject, comment: string): PrivateKey {
  const parts = privateParts(keyObject);
  const writer = new WireWriter();
  writePublicFields(writer, parts);
  wipeParts(parts);
  return { publicKey: parsePublicKeyBlob(writer.finish(), comment), keyObject, comment };
}

interface Outer {
  readonly cipher: string;
  readonly kdf: string;
  readonly kdfOptions: Buffer;
  readonly publicBlob: Buffer;
  readonly section: Buffer;
}

function withOuter<T>(file: Buffer, use: (outer: Outer) => T): T {
  const bytes = openArmor(file);
  if (bytes === null) throw damaged('it is not one block of base64 between its BEGIN and END lines');
  try {
    const reader = new WireReader(bytes);
    if (!reader.raw(MAGIC.length, 'the magic').equals(MAGIC)) throw new WireError('the magic is not openssh-key-v1');
    const cipher = reader.utf8('the cipher', 64);
    const kdf = reader.utf8('the key derivation', 64);
    const kdfOptions = reader.string('the options of the key derivation', 1024);
    const count = reader.uint32('the number of keys');
    if (count !== 1) throw new WireError(`the file holds ${count} keys instead of one`);
    const publicBlob = reader.string('the public key');
    const section = reader.string('the private section');
    reader.end('the private section');
    return use({ cipher, kdf, kdfOptions, publicBlob, section });
  } catch (error) {
    if (error instanceof WireError) throw damaged(error.message);
    throw error;
  } finally {
    bytes.fill(0);
  }
}

/** PROTOCOL.key: two equal check numbers, the fields, the comment, padding 1, 2, 3 … up to a whole block. */
function readSection(section: Buffer, publicKey: PublicKey): PrivateKey {
  const reader = new WireReader(section);
  if (section.length % BLOCK !== 0) throw new WireError('the private section is not a whole number of blocks');
  if (reader.uint32('the first check number') !== reader.uint32('the second check number')) {
    throw new WireError('the check numbers differ');
  }
  const parts = readPrivateFields(reader, signingType(reader.string('the key type', 64).toString('latin1')));
  const comment = reader.utf8('the comment', 1024);
  for (let pad = 1; reader.remaining > 0; pad++) {
    if (pad > 255 || reader.uint8('the padding') !== pad) throw new WireError('the padding is not 1, 2, 3 and so on');
  }
  const key = privateKeyOf(keyObjectOf(parts), comment);
  if (!key.publicKey.blob.equals(publicKey.blob)) throw new WireError('the public key is not that of the private key');
  checkNumbers(key, parts);
  return key;
}

function signingType(word: string): KeyType {
  const type = keyTypeOf(word);
  if (type === undefined || type.sk) throw unsupported(type?.algorithm ?? 'this kind');
  return type;
}

/**
 * OpenSSL takes the numbers of a private key as they come. A signature that does not verify shows that they do
 * not belong together, at start and not at the first request.
 */
function checkNumbers(key: PrivateKey, parts: PrivateParts): void {
  const hash = parts.kind === 'ed25519' ? null : 'sha512';
  const probe = randomBytes(32);
  let holds = false;
  try {
    holds = verify(hash, probe, createPublicKey(key.keyObject), sign(hash, probe, key.keyObject));
  } catch {
    // Numbers that OpenSSL cannot calculate with are as wrong as ones that give a wrong result.
  }
  if (!holds) throw new WireError('the numbers of the private key do not belong together');
}

function fromPem(file: Buffer): PrivateKey {
  let keyObject: KeyObject;
  if (ENCRYPTED_PEM.some((mark) => file.subarray(0, 256).includes(mark))) throw encrypted();
  try {
    keyObject = createPrivateKey({ key: file, format: 'pem' });
  } catch {
    throw new WardenError('config_invalid', 'the file holds no private key that can be read', {
      hint: 'give an OpenSSH private key: ssh-keygen -t ed25519 -f ca_ed25519',
    });
  }
  try {
    const key = privateKeyOf(keyObject, '');
    const parts = privateParts(keyObject);
    wipeParts(parts);
    checkNumbers(key, parts);
    return key;
  } catch (error) {
    if (error instanceof WireError) throw damaged(error.message);
    throw asWardenError(error);
  }
}

function encrypted(): WardenError {
  return new WardenError('config_invalid', 'the private key is encrypted, and a daemon has nobody to ask', {
    hint: 'hold it in an ssh-agent and name it agent:SHA256:…, or remove the passphrase: ssh-keygen -p -f FILE',
  });
}

function damaged(what: string): WardenError {
  return new WardenError('config_invalid', `the private key is damaged: ${what}`, {
    hint: 'put back the key file from its backup',
  });
}
