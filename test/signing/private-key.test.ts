import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { closeArmor, openArmor } from '../../src/ssh/armor.ts';
import { generateKeyPair, KEY_KINDS } from '../../src/ssh/generate-key.ts';
import { formatPrivateKey, parsePrivateKey, publicKeyOfFile } from '../../src/ssh/private-key.ts';
import { formatPublicKey, toKeyObject } from '../../src/ssh/public-key.ts';
import { failure, keyOf } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();

function keygen(...args: string[]): string {
  return execFileSync('ssh-keygen', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A key file that ssh-keygen wrote. */
function written(name: string, ...args: string[]): { file: Buffer; line: string } {
  const path = join(folder, name);
  keygen('-q', '-f', path, '-C', 'made by ssh-keygen', ...args);
  return { file: readFileSync(path), line: readFileSync(`${path}.pub`, 'utf8').trim() };
}

const OPENSSH: [string, string[]][] = [
  ['ed25519', ['-t', 'ed25519']],
  ['ecdsa p256', ['-t', 'ecdsa', '-b', '256']],
  ['ecdsa p384', ['-t', 'ecdsa', '-b', '384']],
  ['ecdsa p521', ['-t', 'ecdsa', '-b', '521']],
  ['rsa', ['-t', 'rsa', '-b', '3072']],
];
const PEM = OPENSSH.slice(1).flatMap(([name, args]): [string, string[]][] =>
  ['PEM', 'PKCS8'].map((form) => [`${name} as ${form}`, [...args, '-m', form]]),
);

describe('reading', () => {
  test.each(OPENSSH)('a %s key of ssh-keygen reads, with its comment', (name, args) => {
    const { file, line } = written(name.replace(' ', '-'), ...args, '-N', '');
    const key = parsePrivateKey(file);
    expect(key.comment).toBe('made by ssh-keygen');
    expect(formatPublicKey(key.publicKey)).toBe(line);
    expect(createPublicKey(key.keyObject).equals(toKeyObject(key.publicKey))).toBe(true);
    expect(formatPublicKey(publicKeyOfFile(file))).toBe(line);
  });

  test.each(PEM)('a %s key reads, without a comment', (name, args) => {
    const { file, line } = written(name.replaceAll(' ', '-'), ...args, '-N', '');
    const key = parsePrivateKey(file);
    expect(key.comment).toBe('');
    expect(formatPublicKey(key.publicKey, 'made by ssh-keygen')).toBe(line);
  });

  test.each([
    ['OpenSSH', 'enc', ['-t', 'ed25519']],
    ['PEM', 'enc-pem', ['-t', 'rsa', '-b', '3072', '-m', 'PEM']],
    ['PKCS#8', 'enc-pkcs8', ['-t', 'rsa', '-b', '3072', '-m', 'PKCS8']],
  ])('an encrypted key in %s form is refused with the mend', async (_form, name, args) => {
    const { file } = written(name, ...args, '-N', 'a passphrase');
    const error = await failure(() => parsePrivateKey(file));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe('the private key is encrypted, and a daemon has nobody to ask');
    expect(error.hint).toBe(
      'hold it in an ssh-agent and name it agent:SHA256:…, or remove the passphrase: ssh-keygen -p -f FILE',
    );
  });

  test('the public half of an encrypted OpenSSH key reads without the passphrase', () => {
    const { file, line } = written('enc-public', '-t', 'ecdsa', '-N', 'a passphrase');
    expect(formatPublicKey(publicKeyOfFile(file), 'made by ssh-keygen')).toBe(line);
  });

  test('an rsa key of 2048 bits is too weak', async () => {
    const { file } = written('weak', '-t', 'rsa', '-b', '2048', '-N', '');
    expect((await failure(() => parsePrivateKey(file))).code).toBe('public_key_too_weak');
  });

  test.each([
    [
      'an ed448 key',
      generateKeyPairSync('ed448').privateKey,
      'a private key of type ed448 cannot be a certificate authority',
    ],
    [
      'a key over another curve',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
      'a private key of type ecdsa secp256k1 cannot be a certificate authority',
    ],
    [
      'an rsa-pss key',
      generateKeyPairSync('rsa-pss', { modulusLength: 3072 }).privateKey,
      'a private key of type rsa-pss cannot be a certificate authority',
    ],
  ])('%s is refused', async (_name, key, message) => {
    const pem = Buffer.from(key.export({ format: 'pem', type: 'pkcs8' }));
    const error = await failure(() => parsePrivateKey(pem));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(message);
  });
});

describe('writing', () => {
  test.each(KEY_KINDS.map((kind) => [kind] as const))('ssh-keygen -y loads a %s key that we wrote', async (kind) => {
    const key = await keyOf(kind);
    const path = join(folder, `ours-${kind}`);
    writeFileSync(path, formatPrivateKey(key), { mode: 0o600 });
    expect(keygen('-y', '-f', path).trim()).toBe(formatPublicKey(key.publicKey));
    const again = parsePrivateKey(readFileSync(path));
    expect(again.comment).toBe(key.comment);
    expect(again.keyObject.equals(key.keyObject)).toBe(true);
  });

  test('ssh-keygen can set a passphrase on it, so that the whole file is as it expects', async () => {
    const path = join(folder, 'ours-to-encrypt');
    writeFileSync(path, formatPrivateKey(await generateKeyPair()), { mode: 0o600 });
    keygen('-p', '-q', '-P', '', '-N', 'a passphrase', '-f', path);
    expect(keygen('-y', '-P', 'a passphrase', '-f', path)).toMatch(/^ssh-ed25519 /);
  });

  test('a comment of any length and any printable characters comes back', async () => {
    const { keyObject } = await keyOf('ed25519');
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~äöü€]{0,60}$/), (comment) => {
        expect(parsePrivateKey(formatPrivateKey({ keyObject, comment })).comment).toBe(comment);
      }),
    );
  });

  test('the key made without a word is ed25519', async () => {
    expect((await generateKeyPair()).publicKey).toMatchObject({ algorithm: 'ssh-ed25519', comment: '' });
  });
});

describe('damage', async () => {
  const key = await keyOf('ed25519');
  const sound = openArmor(formatPrivateKey({ ...key, comment: 'abc' }));
  if (sound === null) throw new Error('our own file does not open');
  const changed = (change: (bytes: Buffer) => Buffer | undefined): Buffer => {
    const bytes = Buffer.from(sound);
    return closeArmor(change(bytes) ?? bytes);
  };
  // magic 15, cipher 4+4, kdf 4+4, options 4, count 4, public key 4+51, section length 4
  const COUNT = 35;
  const SECTION = 98;

  test('the offsets used here are right', () => {
    expect(sound.readUInt32BE(COUNT)).toBe(1);
    expect(sound.readUInt32BE(SECTION - 4)).toBe(sound.length - SECTION);
  });

  test.each([
    ['two keys', changed((b) => void b.writeUInt32BE(2, COUNT)), 'the file holds 2 keys instead of one'],
    ['another magic', changed((b) => void b.write('openssh-key-v2', 0)), 'the magic is not openssh-key-v1'],
    [
      'different check numbers',
      changed((b) => void b.writeUInt8((b[SECTION] ?? 0) ^ 1, SECTION)),
      'the check numbers differ',
    ],
    [
      'padding that is not counted up',
      changed((b) => void b.writeUInt8(9, b.length - 1)),
      'the padding is not 1, 2, 3 and so on',
    ],
    [
      'a byte behind the section',
      changed((b) => Buffer.concat([b, Buffer.of(0)])),
      '1 bytes follow the private section',
    ],
    ['a cut section', changed((b) => b.subarray(0, -8)), expect.stringContaining('the private section is cut short')],
    [
      'another public key outside',
      changed((b) => void b.writeUInt8((b[80] ?? 0) ^ 1, 80)),
      'the public key is not that of the private key',
    ],
    [
      'another seed',
      changed((b) => void b.writeUInt8((b[SECTION + 8 + 15 + 36 + 4] ?? 0) ^ 1, SECTION + 8 + 15 + 36 + 4)),
      'the public key is not that of the private key',
    ],
    [
      'a public half that is not the same twice',
      changed((b) => void b.writeUInt8((b[SECTION + 8 + 15 + 4] ?? 0) ^ 1, SECTION + 8 + 15 + 4)),
      'the two halves of the ed25519 key differ',
    ],
  ])('%s is named', async (_name, file, what) => {
    const error = await failure(() => parsePrivateKey(file));
    expect(error.code).toBe('config_invalid');
    expect(error.message.replace('the private key is damaged: ', '')).toEqual(what);
  });

  test.each([
    ['text behind the END line', Buffer.concat([formatPrivateKey(key), Buffer.from('more\n')])],
    ['a character that is no base64', Buffer.from(formatPrivateKey(key).toString().replace('b3Bl', 'b3B*'))],
    ['no END line', formatPrivateKey(key).subarray(0, -20)],
    ['stray bits in the last digit', Buffer.from(closeArmor(Buffer.of(1)).toString().replace('AQ==', 'AR=='))],
  ])('%s makes it no block', async (_name, file) => {
    const error = await failure(() => parsePrivateKey(file));
    expect(error.message).toBe(
      'the private key is damaged: it is not one block of base64 between its BEGIN and END lines',
    );
  });

  test('rsa numbers that do not belong together are noticed before anything is signed with them', async () => {
    const rsa = await keyOf('rsa-3072');
    const bytes = openArmor(formatPrivateKey(rsa));
    if (bytes === null) throw new Error('our own file does not open');
    // Before the comment stand two primes and the coefficient, of 192 bytes each, and before those the exponent d.
    const at = bytes.length - 3 * 197 - rsa.comment.length - 100;
    bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
    const error = await failure(() => parsePrivateKey(closeArmor(bytes)));
    expect(error.message).toBe('the private key is damaged: the numbers of the private key do not belong together');
  });

  test('no truncation and no flipped bit crashes, and none reads as another key', () => {
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 8 }), (at, bit) => {
        const file = changed((bytes) => {
          if (bit === 8) return bytes.subarray(0, at);
          bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << bit), at);
          return bytes;
        });
        try {
          expect(parsePrivateKey(file).publicKey.blob.equals(key.publicKey.blob)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(WardenError);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('arbitrary bytes in a block and out of it are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => parsePrivateKey(closeArmor(Buffer.from(bytes)))).toThrow(WardenError);
        expect(() => parsePrivateKey(Buffer.from(bytes))).toThrow(WardenError);
      }),
    );
  });

  test('armour carries any bytes, as base64 of 70 digits a line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const block = closeArmor(Buffer.from(bytes));
        expect(openArmor(block)?.equals(Buffer.from(bytes))).toBe(true);
        const lines = block.toString('latin1').trimEnd().split('\n').slice(1, -1);
        expect(lines.join('')).toBe(Buffer.from(bytes).toString('base64'));
        expect(lines.slice(0, -1).every((line) => line.length === 70)).toBe(true);
      }),
    );
  });
});
