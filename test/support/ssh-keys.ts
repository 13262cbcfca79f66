import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { KEY_TYPES } from '../../src/ssh/key-types.ts';
import { type KeyAlgorithm, type PublicKey, parsePublicKeyBlob, parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import {
  encodeSignature,
  rawSignatureFromNode,
  type SignatureAlgorithm,
  signatureAlgorithmOf,
} from '../../src/ssh/signature.ts';
import { WireReader, WireWriter } from '../../src/ssh/wire.ts';
import { sshKeygenOk } from './ssh-keygen.ts';

/** A key pair for tests. Made anew for every test file, never stored. */
export interface TestKey {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: PublicKey;
  /** One .pub line without a line end. */
  readonly line: string;
  /** For node:crypto; of an sk key the inner one. */
  readonly privateKey: KeyObject;
  /** The OpenSSH private key file (0600, no passphrase; the .pub beside it); null for sk keys, which have none. */
  readonly file: string | null;
  /** A signature blob; sk keys answer as an authenticator would, user present. */
  sign(message: Buffer, algorithm?: SignatureAlgorithm): Buffer;
}

export const ALL_ALGORITHMS = Object.keys(KEY_TYPES) as KeyAlgorithm[];

const SSH_KEYGEN_ARGS: Partial<Record<KeyAlgorithm, string[]>> = {
  'ssh-ed25519': ['-t', 'ed25519'],
  'ecdsa-sha2-nistp256': ['-t', 'ecdsa', '-b', '256'],
  'ecdsa-sha2-nistp384': ['-t', 'ecdsa', '-b', '384'],
  'ecdsa-sha2-nistp521': ['-t', 'ecdsa', '-b', '521'],
  'ssh-rsa': ['-t', 'rsa', '-b', '3072'],
};

let folder: string | null = null;
const made = new Map<string, Promise<TestKey>>();

/** The key of this type and name, the same one each time within a test file. */
export function testKey(algorithm: KeyAlgorithm, name = 'test'): Promise<TestKey> {
  const id = `${algorithm} ${name}`;
  let key = made.get(id);
  if (key === undefined) {
    const args = SSH_KEYGEN_ARGS[algorithm];
    key = args === undefined ? makeSkKey(algorithm, name) : makeFileKey(algorithm, name, args);
    made.set(id, key);
  }
  return key;
}

/** One key of every type. */
export function allTestKeys(name = 'test'): Promise<TestKey[]> {
  return Promise.all(ALL_ALGORITHMS.map((algorithm) => testKey(algorithm, name)));
}

/** A folder for this test file, removed after its last test. */
export function keyFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'warden-keys-'));
  return folder;
}

// vitest ends its workers without an exit event, so the test file's own end is the place to clean up.
afterAll(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
  made.clear();
});

async function makeFileKey(algorithm: KeyAlgorithm, name: string, args: string[]): Promise<TestKey> {
  const file = join(mkdtempSync(join(keyFolder(), 'key-')), 'id');
  await sshKeygenOk(['-q', ...args, '-N', '', '-C', `${name}@test`, '-f', file]);
  const line = readFileSync(`${file}.pub`, 'utf8').trimEnd();
  const privateKey = algorithm === 'ssh-ed25519' ? readEd25519(file) : await readThroughPem(file);
  const publicKey = parsePublicKeyLine(line);
  return { algorithm, publicKey, line, privateKey, file, sign: signer(publicKey, privateKey) };
}

async function readThroughPem(file: string): Promise<KeyObject> {
  const pem = `${file}.pem`;
  copyFileSync(file, pem);
  await sshKeygenOk(['-q', '-p', '-m', 'PKCS8', '-P', '', '-N', '', '-f', pem]);
  return createPrivateKey(readFileSync(pem));
}

/** ssh-keygen writes no PEM for ed25519, so its own format is read here: PROTOCOL.key, no passphrase. */
function readEd25519(file: string): KeyObject {
  const body = readFileSync(file, 'utf8').replace(/-----[^-]+-----|\s/g, '');
  const reader = new WireReader(Buffer.from(body, 'base64'));
  reader.raw('openssh-key-v1\0'.length, 'magic');
  for (const what of ['cipher', 'kdf', 'kdf options']) reader.string(what);
  reader.uint32('number of keys');
  reader.string('public key');
  const secrets = new WireReader(reader.string('private section'));
  secrets.raw(8, 'check bytes');
  secrets.string('type');
  const x = secrets.string('public half');
  const d = secrets.string('private half').subarray(0, 32);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url'), d: d.toString('base64url') };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

async function makeSkKey(algorithm: KeyAlgorithm, name: string): Promise<TestKey> {
  const ed25519 = KEY_TYPES[algorithm].family === 'ed25519';
  const pair = ed25519 ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = pair.publicKey.export({ format: 'jwk' });
  const coordinates = [jwk.x, jwk.y].map((text) => Buffer.from(text ?? '', 'base64url'));
  const writer = new WireWriter().string(algorithm);
  if (ed25519) writer.string(Buffer.concat(coordinates));
  else writer.string('nistp256').string(Buffer.concat([Buffer.from([4]), ...coordinates]));
  const publicKey = parsePublicKeyBlob(writer.string('ssh:').finish(), `${name}@test`);
  const line = `${algorithm} ${publicKey.blob.toString('base64')} ${publicKey.comment}`;
  return {
    algorithm,
    publicKey,
    line,
    privateKey: pair.privateKey,
    file: null,
    sign: skSigner(publicKey, pair.privateKey),
  };
}

function signer(publicKey: PublicKey, privateKey: KeyObject): TestKey['sign'] {
  return (message, algorithm = signatureAlgorithmOf(publicKey)) =>
    encodeSignature(algorithm, rawSignature(message, algorithm, privateKey));
}

function skSigner(publicKey: PublicKey, privateKey: KeyObject): TestKey['sign'] {
  const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
  return (message) => {
    const algorithm = signatureAlgorithmOf(publicKey);
    const flagsAndCounter = Buffer.from([1, 0, 0, 0, 7]);
    const signed = Buffer.concat([sha256(Buffer.from('ssh:')), flagsAndCounter, sha256(message)]);
    return Buffer.concat([encodeSignature(algorithm, rawSignature(signed, algorithm, privateKey)), flagsAndCounter]);
  };
}

function rawSignature(message: Buffer, algorithm: SignatureAlgorithm, key: KeyObject): Buffer {
  const hashes: Record<SignatureAlgorithm, string | null> = {
    'ssh-ed25519': null,
    'sk-ssh-ed25519@openssh.com': null,
    'ecdsa-sha2-nistp256': 'sha256',
    'sk-ecdsa-sha2-nistp256@openssh.com': 'sha256',
    'ecdsa-sha2-nistp384': 'sha384',
    'ecdsa-sha2-nistp521': 'sha512',
    'rsa-sha2-256': 'sha256',
    'rsa-sha2-512': 'sha512',
  };
  return rawSignatureFromNode(algorithm, sign(hashes[algorithm], message, { key, dsaEncoding: 'ieee-p1363' }));
}
