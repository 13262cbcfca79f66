import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { formatPublicKey, parsePublicKeyBlob, parsePublicKeyLine, toKeyObject } from '../../src/ssh/public-key.ts';
import { WireWriter } from '../../src/ssh/wire.ts';
import { ALL_ALGORITHMS, allTestKeys, type TestKey } from '../support/ssh-keys.ts';

let keys: TestKey[] = [];
beforeAll(async () => {
  keys = await allTestKeys();
});

type Part = string | Buffer;
const wire = (...parts: Part[]): Buffer => {
  const writer = new WireWriter();
  for (const part of parts) writer.string(part);
  return writer.finish();
};
const lineOf = (word: string, blob: Buffer): string => `${word} ${blob.toString('base64')} c`;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const edPoint = hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
const ed = (point: Buffer): string => lineOf('ssh-ed25519', wire('ssh-ed25519', point));
const good = ed(edPoint);
const goodBase64 = good.split(' ')[1] ?? '';
/** An odd modulus of this many bits: the reader looks at no more. */
const modulus = (bits: number): Buffer => {
  const bytes = Buffer.alloc(Math.ceil(bits / 8), 0xff);
  bytes[0] = 0xff >> (bytes.length * 8 - bits);
  return bytes;
};
const mpint = (magnitude: Buffer): Buffer => new WireWriter().mpint(magnitude).finish().subarray(4);
const rsa = (e: Buffer, n: Buffer): string => lineOf('ssh-rsa', wire('ssh-rsa', e, n));
const f4 = hex('010001');
const point = (curve: string): Buffer => {
  const jwk = generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' });
  return Buffer.concat([hex('04'), Buffer.from(jwk.x ?? '', 'base64url'), Buffer.from(jwk.y ?? '', 'base64url')]);
};
const p256 = point('P-256');
const compressed = Buffer.concat([Buffer.from([2 + ((p256.at(-1) ?? 0) & 1)]), p256.subarray(1, 33)]);
const hybrid = Buffer.concat([Buffer.from([6 + ((p256.at(-1) ?? 0) & 1)]), p256.subarray(1)]);
const offCurve = Buffer.from(p256);
offCurve[40] = (offCurve[40] ?? 0) ^ 1;
const ec = (curve: string, q: Buffer, word = 'ecdsa-sha2-nistp256'): string => lineOf(word, wire(word, curve, q));
const sk = 'sk-ssh-ed25519@openssh.com';

type Code = 'public_key_malformed' | 'public_key_unsupported' | 'public_key_too_weak' | 'public_key_is_certificate';
const refusals: [name: string, line: string, code: Code, message: string][] = [
  // the line
  ['nothing', '', 'public_key_malformed', 'the line is empty'],
  ['white space alone', ' \t \n', 'public_key_malformed', 'the line is empty'],
  [
    'more than 16 KiB',
    `${good}${'x'.repeat(16384)}`,
    'public_key_malformed',
    'the line is longer than 16384 characters',
  ],
  ['two lines', `${good}\n${good}`, 'public_key_malformed', 'there is more than one line'],
  ['two line ends', `${good}\n\n`, 'public_key_malformed', 'there is more than one line'],
  ['a carriage return inside', `${good}\rx`, 'public_key_malformed', 'there is more than one line'],
  ['a NUL', `${good}\0`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['an escape sequence', `${good}\x1b[31m`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['a C1 control', `${good}\x9b`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['a direction override', `${good}\u202e`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['a line separator', `${good}\u2028`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['half a surrogate pair', `${good}\ud800`, 'public_key_malformed', 'the line holds control or invisible characters'],
  ['white space before it', ` ${good}`, 'public_key_malformed', 'the line begins with white space'],
  [
    'authorized_keys options',
    `no-pty,command="x y" ${good}`,
    'public_key_malformed',
    'something stands before the key type; authorized_keys options are not accepted',
  ],
  [
    'a host name as in known_hosts',
    `example.net ${good}`,
    'public_key_malformed',
    'something stands before the key type; authorized_keys options are not accepted',
  ],
  ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', 'public_key_malformed', 'this is a private key'],
  ['an RSA private key', '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n', 'public_key_malformed', 'this is a private key'],
  [
    'a PEM public key',
    '-----BEGIN PUBLIC KEY-----\nAAAA\n',
    'public_key_malformed',
    'this is a PEM or RFC 4716 block, not an OpenSSH public key line',
  ],
  [
    'an RFC 4716 block',
    '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n',
    'public_key_malformed',
    'this is a PEM or RFC 4716 block, not an OpenSSH public key line',
  ],
  // the base64
  ['a type alone', 'ssh-ed25519', 'public_key_malformed', 'the key after its type is missing'],
  ['a type and a space', 'ssh-ed25519 ', 'public_key_malformed', 'the key after its type is missing'],
  [
    'base64 with a foreign character',
    `ssh-ed25519 ${goodBase64.slice(0, 20)}!${goodBase64.slice(20)}`,
    'public_key_malformed',
    'the key after its type is not canonical base64',
  ],
  [
    'base64 cut by one character',
    `ssh-ed25519 ${goodBase64.slice(0, -1)}`,
    'public_key_malformed',
    'the key after its type is not canonical base64',
  ],
  [
    'base64 with stray bits',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAB=',
    'public_key_malformed',
    'the key after its type is not canonical base64',
  ],
  [
    'the URL alphabet',
    `ssh-ed25519 ${wire('ssh-ed25519', Buffer.alloc(32, 0xfb)).toString('base64url')}`,
    'public_key_malformed',
    'the key after its type is not canonical base64',
  ],
  // the type
  [
    'another type inside',
    lineOf('ssh-rsa', wire('ssh-ed25519', edPoint)),
    'public_key_malformed',
    'the line says ssh-rsa and the key in it is ssh-ed25519',
  ],
  ['an unknown word', `ssh-moon ${goodBase64}`, 'public_key_unsupported', 'the key type is none that is accepted'],
  [
    'an unknown type inside',
    lineOf('ssh-ed25519', wire('ssh-moon', edPoint)),
    'public_key_unsupported',
    'the key type is none that is accepted',
  ],
  [
    'ed448',
    lineOf('ssh-ed448', wire('ssh-ed448', Buffer.alloc(57, 7))),
    'public_key_unsupported',
    'the key type is none that is accepted',
  ],
  ['DSA', `ssh-dss ${goodBase64}`, 'public_key_unsupported', 'dsa keys are not accepted'],
  [
    'DSA under another word',
    lineOf('ssh-rsa', wire('ssh-dss', edPoint)),
    'public_key_unsupported',
    'dsa keys are not accepted',
  ],
  ['XMSS', `ssh-xmss@openssh.com ${goodBase64}`, 'public_key_unsupported', 'xmss keys are not accepted'],
  [
    'a signature algorithm for a type',
    `rsa-sha2-512 ${goodBase64}`,
    'public_key_unsupported',
    'rsa-sha2-512 is a signature algorithm; the key type of rsa keys is ssh-rsa',
  ],
  [
    'a certificate',
    `ssh-ed25519-cert-v01@openssh.com ${goodBase64}`,
    'public_key_is_certificate',
    'this is a certificate, not a public key',
  ],
  [
    'a certificate of a type we do not know',
    `ssh-dss-cert-v01@openssh.com ${goodBase64}`,
    'public_key_is_certificate',
    'this is a certificate, not a public key',
  ],
  [
    'a certificate under the word of a key',
    lineOf('ssh-ed25519', wire('ssh-ed25519-cert-v01@openssh.com', edPoint)),
    'public_key_is_certificate',
    'this is a certificate, not a public key',
  ],
  // ed25519
  [
    '31 bytes of ed25519',
    ed(edPoint.subarray(1)),
    'public_key_malformed',
    'the ed25519 key is 31 bytes long instead of 32',
  ],
  [
    '33 bytes of ed25519',
    ed(Buffer.concat([edPoint, hex('00')])),
    'public_key_malformed',
    'the ed25519 key is 33 bytes long instead of 32',
  ],
  [
    'bytes after an ed25519 key',
    lineOf('ssh-ed25519', wire('ssh-ed25519', edPoint, '')),
    'public_key_malformed',
    '4 bytes follow the key',
  ],
  [
    'the neutral element',
    ed(hex(`01${'00'.repeat(31)}`)),
    'public_key_too_weak',
    'the ed25519 key is a point of small order, which protects nothing',
  ],
  [
    'zero',
    ed(Buffer.alloc(32)),
    'public_key_too_weak',
    'the ed25519 key is a point of small order, which protects nothing',
  ],
  [
    'zero with a sign',
    ed(hex(`${'00'.repeat(31)}80`)),
    'public_key_too_weak',
    'the ed25519 key is a point of small order, which protects nothing',
  ],
  [
    'the point of order two',
    ed(hex(`ec${'ff'.repeat(30)}7f`)),
    'public_key_too_weak',
    'the ed25519 key is a point of small order, which protects nothing',
  ],
  [
    'a point of order eight',
    ed(hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa')),
    'public_key_too_weak',
    'the ed25519 key is a point of small order, which protects nothing',
  ],
  [
    'the field’s prime',
    ed(hex(`ed${'ff'.repeat(30)}7f`)),
    'public_key_malformed',
    'the ed25519 key is not below the prime of its field',
  ],
  // ecdsa
  [
    'another curve inside',
    ec('nistp384', p256),
    'public_key_malformed',
    'the curve of the key is not nistp256 as its type says',
  ],
  [
    'a point of another curve',
    ec('nistp256', point('P-384')),
    'public_key_malformed',
    'the curve point is not an uncompressed point of nistp256',
  ],
  [
    'a compressed point',
    ec('nistp256', compressed),
    'public_key_malformed',
    'the curve point is not an uncompressed point of nistp256',
  ],
  [
    'a hybrid point',
    ec('nistp256', hybrid),
    'public_key_malformed',
    'the curve point is not an uncompressed point of nistp256',
  ],
  [
    'the point at infinity',
    ec('nistp256', hex('00')),
    'public_key_malformed',
    'the curve point is not an uncompressed point of nistp256',
  ],
  [
    'a point off the curve',
    ec('nistp256', offCurve),
    'public_key_malformed',
    'the curve point does not lie on nistp256',
  ],
  [
    'a coordinate over the prime',
    ec('nistp256', Buffer.concat([hex('04'), Buffer.alloc(64, 0xff)])),
    'public_key_malformed',
    'the curve point does not lie on nistp256',
  ],
  [
    'a point off p521',
    ec('nistp521', Buffer.concat([hex('04'), Buffer.alloc(132, 1)]), 'ecdsa-sha2-nistp521'),
    'public_key_malformed',
    'the curve point does not lie on nistp521',
  ],
  // rsa
  [
    '2048 bits of rsa',
    rsa(f4, mpint(modulus(2048))),
    'public_key_too_weak',
    'the rsa key has 2048 bits; at least 3072 are needed',
  ],
  [
    '3071 bits of rsa',
    rsa(f4, mpint(modulus(3071))),
    'public_key_too_weak',
    'the rsa key has 3071 bits; at least 3072 are needed',
  ],
  [
    '16385 bits of rsa',
    rsa(f4, mpint(modulus(16385))),
    'public_key_unsupported',
    'the rsa key has 16385 bits; at most 16384 are accepted',
  ],
  ['no rsa modulus', rsa(f4, hex('')), 'public_key_too_weak', 'the rsa key has 0 bits; at least 3072 are needed'],
  [
    'an even modulus',
    rsa(f4, mpint(Buffer.concat([modulus(3064), hex('fe')]))),
    'public_key_malformed',
    'the rsa modulus is even',
  ],
  [
    'a modulus with a needless zero',
    rsa(f4, Buffer.concat([hex('00'), mpint(modulus(3072))])),
    'public_key_malformed',
    'the rsa modulus has a needless leading zero',
  ],
  ['a negative modulus', rsa(f4, modulus(3072)), 'public_key_malformed', 'the rsa modulus is negative'],
  ['the exponent 0', rsa(hex(''), mpint(modulus(3072))), 'public_key_malformed', 'the rsa exponent is even'],
  [
    'the exponent 1',
    rsa(hex('01'), mpint(modulus(3072))),
    'public_key_too_weak',
    'the rsa exponent is 1, which protects nothing',
  ],
  ['the exponent 2', rsa(hex('02'), mpint(modulus(3072))), 'public_key_malformed', 'the rsa exponent is even'],
  [
    'an exponent of 65 bits',
    rsa(hex('010000000000000001'), mpint(modulus(3072))),
    'public_key_unsupported',
    'the rsa exponent is longer than 64 bits',
  ],
  [
    'modulus before exponent',
    rsa(mpint(modulus(3072)), f4),
    'public_key_too_weak',
    'the rsa key has 17 bits; at least 3072 are needed',
  ],
  // sk
  [
    'an sk key without application',
    lineOf(sk, wire(sk, edPoint)),
    'public_key_malformed',
    'the application of the security key is cut short',
  ],
  [
    'an sk key with an empty application',
    lineOf(sk, wire(sk, edPoint, '')),
    'public_key_malformed',
    'the application of the security key is empty',
  ],
  [
    'an sk key with control characters in its application',
    lineOf(sk, wire(sk, edPoint, 'ssh:\n')),
    'public_key_malformed',
    'the application of the security key is not printable ASCII',
  ],
  [
    'an sk key with a long application',
    lineOf(sk, wire(sk, edPoint, 'a'.repeat(256))),
    'public_key_malformed',
    'the application of the security key is 256 bytes long, more than the 255 allowed',
  ],
];

describe('a public key line is refused for', () => {
  test.each(refusals)('%s', (_name, line, code, message) => {
    const error = caught(() => parsePublicKeyLine(line));
    expect(error).toBeInstanceOf(WardenError);
    expect([(error as WardenError).code, (error as WardenError).message]).toEqual([code, message]);
    expect((error as WardenError).hint).not.toBe('');
  });

  test('nothing of what was pasted comes back in the message', () => {
    const secret = 'hvs.CAESIJ-synthetic-token';
    for (const text of [secret, `ssh-ed25519 ${secret}`, `${secret} ${good}`]) {
      const error = caught(() => parsePublicKeyLine(text)) as WardenError;
      expect(`${error.message} ${error.hint}`).not.toContain('synthetic-token');
    }
  });
});

describe('a public key line is read', () => {
  test.each(ALL_ALGORITHMS)('with a key of type %s', (algorithm) => {
    const key = keys.find((one) => one.algorithm === algorithm);
    const parsed = parsePublicKeyLine(`${key?.line}\n`);
    expect(parsed).toEqual(key?.publicKey);
    expect(parsed.algorithm).toBe(algorithm);
    expect(formatPublicKey(parsed)).toBe(key?.line);
    expect(formatPublicKey(parsed, '')).toBe(key?.line.split(' ').slice(0, 2).join(' '));
    expect(parsePublicKeyBlob(parsed.blob, 'test@test')).toEqual(parsed);
  });

  const forms: [name: string, line: string, comment: string][] = [
    ['without a comment', good.slice(0, -2), ''],
    ['with white space after the key', `${good.slice(0, -2)}  `, ''],
    ['with a comment of several words', `${good} two  words`, 'c two  words'],
    ['with tabs between the words', good.replaceAll(' ', '\t'), 'c'],
    ['with a comment beyond ASCII', `${good} Zoë 鍵`, 'c Zoë 鍵'],
    ['with a line end of Windows', `${good}\r\n`, 'c'],
  ];
  test.each(forms)('%s', (_name, line, comment) => {
    expect(parsePublicKeyLine(line)).toMatchObject({ algorithm: 'ssh-ed25519', bits: 256, comment });
  });

  test('with the largest rsa key and the smallest exponent', () => {
    const line = rsa(hex('03'), mpint(modulus(16384)));
    expect(parsePublicKeyLine(line)).toMatchObject({ algorithm: 'ssh-rsa', bits: 16384 });
  });

  test('without holding on to the caller’s buffer', () => {
    const blob = wire('ssh-ed25519', edPoint);
    const key = parsePublicKeyBlob(blob);
    blob.fill(0);
    expect(formatPublicKey(key)).toBe(good.slice(0, -2));
  });
});

describe('a comment that could break out of its line', () => {
  test('is refused on the way in', () => {
    const error = caught(() => parsePublicKeyBlob(wire('ssh-ed25519', edPoint), 'a\nb')) as WardenError;
    expect([error.code, error.message]).toEqual([
      'public_key_malformed',
      'the comment holds control or invisible characters',
    ]);
  });
  test('is refused on the way out', () => {
    const error = caught(() => formatPublicKey(parsePublicKeyLine(good), 'a\nssh-rsa')) as WardenError;
    expect([error.code, error.message]).toEqual([
      'invalid_request',
      'the comment holds control or invisible characters',
    ]);
  });
});

describe('the key for node:crypto', () => {
  test.each(ALL_ALGORITHMS)('is the one that the private key belongs to: %s', (algorithm) => {
    const key = keys.find((one) => one.algorithm === algorithm);
    if (key === undefined) throw new Error('no such key');
    const made = toKeyObject(key.publicKey);
    const expected = key.privateKey.export({ format: 'jwk' });
    const got = made.export({ format: 'jwk' });
    expect([got.crv, got.x, got.y, got.n, got.e]).toEqual([
      expected.crv,
      expected.x,
      expected.y,
      expected.n,
      expected.e,
    ]);
    expect(toKeyObject(key.publicKey)).toBe(made);
  });
});

test('the fingerprint is SHA256 in unpadded base64', () => {
  expect(fingerprint(Buffer.alloc(0))).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU');
});

describe('whatever the bytes are, only WardenErrors come out', () => {
  test('for every truncation of every key', () => {
    for (const { publicKey } of keys) {
      for (let end = 0; end < publicKey.blob.length; end++) expectRefusal(publicKey.blob.subarray(0, end));
    }
  });

  test('for random bytes behind a type word, and random lengths inside', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ALL_ALGORITHMS), fc.uint8Array({ maxLength: 200 }), (algorithm, rest) => {
        expectRefusal(Buffer.concat([wire(algorithm), rest]));
      }),
      { numRuns: 2000 },
    );
  });

  test('for random text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(caught(() => parsePublicKeyLine(text))).toBeInstanceOf(WardenError);
      }),
      { numRuns: 2000 },
    );
  });
});

function expectRefusal(blob: Buffer): void {
  const error = caught(() => parsePublicKeyBlob(blob));
  expect(error).toBeInstanceOf(WardenError);
  expect((error as WardenError).code).toMatch(/^public_key_/);
}

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}
