import { createHash, createPublicKey, sign } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { parsePublicKeyBlob } from '../../src/ssh/public-key.ts';
import {
  encodeSignature,
  hashOf,
  rawSignatureFromNode,
  type SignatureAlgorithm,
  signatureAlgorithmIn,
  signatureAlgorithmOf,
  verifySignature,
} from '../../src/ssh/signature.ts';
import { WireError, WireReader, WireWriter } from '../../src/ssh/wire.ts';
import { ALL_ALGORITHMS, allTestKeys, type TestKey, testKey } from '../support/ssh-keys.ts';

let keys: TestKey[] = [];
beforeAll(async () => {
  keys = await allTestKeys('ca');
});

const message = Buffer.from('what is signed');
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const strings = (...parts: (Buffer | string)[]): Buffer => {
  const writer = new WireWriter();
  for (const part of parts) writer.string(part);
  return writer.finish();
};

function keyOf(algorithm: string): TestKey {
  const key = keys.find((one) => one.algorithm === algorithm);
  if (key === undefined) throw new Error(`there is no key of type ${algorithm}`);
  return key;
}

describe.each(ALL_ALGORITHMS)('a signature by %s', (algorithm) => {
  test('is good for its message and key alone', async () => {
    const key = keyOf(algorithm);
    const other = await testKey(algorithm, 'other');
    const signature = key.sign(message);
    expect(verifySignature(key.publicKey, message, signature)).toBe(true);
    expect(verifySignature(key.publicKey, Buffer.concat([message, hex('00')]), signature)).toBe(false);
    expect(verifySignature(other.publicKey, message, signature)).toBe(false);
  });

  test('is good for no key of another type', () => {
    const signature = keyOf(algorithm).sign(message);
    for (const other of keys) {
      expect(verifySignature(other.publicKey, message, signature)).toBe(other.algorithm === algorithm);
    }
  });

  test('is not good under another algorithm’s name', () => {
    const key = keyOf(algorithm);
    const signature = key.sign(message);
    const name = new WireReader(signature).string('name');
    for (const other of ['ssh-rsa', 'ssh-dss', '', ...ALL_ALGORITHMS, 'rsa-sha2-256']) {
      if (other === name.toString()) continue;
      const renamed = Buffer.concat([strings(other), signature.subarray(4 + name.length)]);
      expect(verifySignature(key.publicKey, message, renamed), other).toBe(false);
    }
  });

  test('is not good when any byte of it is changed, taken away or added', () => {
    const key = keyOf(algorithm);
    const signature = key.sign(message);
    for (let at = 0; at < signature.length; at++) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(verifySignature(key.publicKey, message, changed), `byte ${at} changed`).toBe(false);
      expect(verifySignature(key.publicKey, message, signature.subarray(0, at)), `cut at ${at}`).toBe(false);
    }
    expect(verifySignature(key.publicKey, message, Buffer.concat([signature, hex('00')]))).toBe(false);
  });

  test('names its algorithm', () => {
    const key = keyOf(algorithm);
    const expected = algorithm === 'ssh-rsa' ? 'rsa-sha2-512' : algorithm;
    expect(signatureAlgorithmOf(key.publicKey)).toBe(expected);
    expect(signatureAlgorithmIn(key.sign(message))).toBe(expected);
  });
});

describe('an rsa signature', () => {
  test('with SHA-256 is good too', () => {
    const key = keyOf('ssh-rsa');
    expect(verifySignature(key.publicKey, message, key.sign(message, 'rsa-sha2-256'))).toBe(true);
  });

  test('with SHA-1 is good for nothing, under any name', () => {
    const key = keyOf('ssh-rsa');
    const raw = sign('sha1', message, key.privateKey);
    for (const name of ['ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512']) {
      expect(verifySignature(key.publicKey, message, strings(name, raw)), name).toBe(false);
    }
  });

  test('must be as long as the modulus: no zero before it', () => {
    const key = keyOf('ssh-rsa');
    const raw = sign('sha512', message, key.privateKey);
    expect(verifySignature(key.publicKey, message, strings('rsa-sha2-512', raw))).toBe(true);
    expect(verifySignature(key.publicKey, message, strings('rsa-sha2-512', Buffer.concat([hex('00'), raw])))).toBe(
      false,
    );
  });
});

describe('an ed25519 signature', () => {
  test('of RFC 8032 is good', () => {
    const publicKey = parsePublicKeyBlob(
      strings('ssh-ed25519', hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')),
    );
    const raw = hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    expect(verifySignature(publicKey, hex('72'), encodeSignature('ssh-ed25519', raw))).toBe(true);
    // The same with the group's order added to its second half: what RFC 8032 says must be refused.
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    const half = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + order;
    const again = Buffer.concat([
      raw.subarray(0, 32),
      Buffer.from(half.toString(16).padStart(64, '0'), 'hex').reverse(),
    ]);
    expect(again).toHaveLength(64);
    expect(verifySignature(publicKey, hex('72'), encodeSignature('ssh-ed25519', again))).toBe(false);
  });
});

describe('an ecdsa signature', () => {
  const cases: [name: string, r: Buffer, s: Buffer][] = [
    ['of zeros', hex(''), hex('')],
    ['with r zero', hex(''), hex('01')],
    ['with numbers longer than the curve', Buffer.alloc(40, 1), hex('01')],
    ['with numbers as long as the curve, over its order', hex(`00 ${'ff'.repeat(32)}`), hex('01')],
    ['with a needless zero', hex('0001'), hex('01')],
    ['with a negative number', hex('80'), hex('01')],
  ];
  test.each(cases)('%s is not good', (_name, r, s) => {
    const key = keyOf('ecdsa-sha2-nistp256').publicKey;
    expect(verifySignature(key, message, encodeSignature('ecdsa-sha2-nistp256', strings(r, s)))).toBe(false);
  });

  test('is written alike from both of node’s encodings', () => {
    const curves: [SignatureAlgorithm, string, number][] = [
      ['ecdsa-sha2-nistp256', 'sha256', 32],
      ['ecdsa-sha2-nistp384', 'sha384', 48],
      ['ecdsa-sha2-nistp521', 'sha512', 66],
    ];
    for (const [algorithm, hash, size] of curves) {
      const key = keyOf(algorithm);
      // Short r and s come up once in 256 signatures.
      for (let i = 0; i < 300; i++) {
        const text = Buffer.from(String(i));
        const der = sign(hash, text, { key: key.privateKey, dsaEncoding: 'der' });
        const raw = rawSignatureFromNode(algorithm, der, 'der');
        const numbers = new WireReader(raw);
        const pair = [numbers.mpint('r'), numbers.mpint('s')].map((n) =>
          Buffer.concat([Buffer.alloc(size - n.length), n]),
        );
        expect(rawSignatureFromNode(algorithm, Buffer.concat(pair))).toEqual(raw);
        if (i < 20) expect(verifySignature(key.publicKey, text, encodeSignature(algorithm, raw))).toBe(true);
      }
    }
  });

  test('that node did not write is refused in writing', () => {
    const algorithm = 'ecdsa-sha2-nistp256';
    expect(() => rawSignatureFromNode(algorithm, Buffer.alloc(63))).toThrow(
      new WireError('the ecdsa signature has the wrong length'),
    );
    for (const der of [
      '',
      '30',
      '3000',
      '3103020101',
      '3006020101',
      '300602010102010100',
      '30060201010202',
      '30800201010201010000',
      '3081',
    ]) {
      expect(() => rawSignatureFromNode(algorithm, hex(der), 'der'), der).toThrow(
        new WireError('the ecdsa signature is not DER'),
      );
    }
  });
});

describe('a security key’s signature', () => {
  test.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'])(
    'by %s covers its flags and counter',
    (algorithm) => {
      const key = keyOf(algorithm);
      const signature = key.sign(message);
      for (const at of [1, 2, 5]) {
        const changed = Buffer.from(signature);
        changed[changed.length - at] = 0x55;
        expect(verifySignature(key.publicKey, message, changed)).toBe(false);
      }
      expect(verifySignature(key.publicKey, message, signature.subarray(0, -5))).toBe(false);
    },
  );

  test('for another application is not good', () => {
    const key = keyOf('sk-ssh-ed25519@openssh.com');
    const point = key.publicKey.blob.subarray(4 + key.algorithm.length, 4 + key.algorithm.length + 36);
    const other = parsePublicKeyBlob(Buffer.concat([strings(key.algorithm), point, strings('ssh:other')]));
    expect(verifySignature(other, message, key.sign(message))).toBe(false);
  });

  test('is not good without what an authenticator adds, by the very key inside', () => {
    const key = keyOf('sk-ssh-ed25519@openssh.com');
    expect(createPublicKey(key.privateKey).asymmetricKeyType).toBe('ed25519');
    const plain = sign(null, message, key.privateKey);
    const blob = Buffer.concat([encodeSignature('sk-ssh-ed25519@openssh.com', plain), hex('0100000001')]);
    expect(verifySignature(key.publicKey, message, blob)).toBe(false);
  });
});

test('every algorithm has the hash that its RFC gives it', () => {
  const hashes = [
    ...ALL_ALGORITHMS.filter((name) => name !== 'ssh-rsa'),
    'rsa-sha2-256',
    'rsa-sha2-512',
  ] as SignatureAlgorithm[];
  expect(Object.fromEntries(hashes.map((name) => [name, hashOf(name)]))).toEqual({
    'ssh-ed25519': null,
    'ecdsa-sha2-nistp256': 'sha256',
    'ecdsa-sha2-nistp384': 'sha384',
    'ecdsa-sha2-nistp521': 'sha512',
    'sk-ssh-ed25519@openssh.com': null,
    'sk-ecdsa-sha2-nistp256@openssh.com': 'sha256',
    'rsa-sha2-256': 'sha256',
    'rsa-sha2-512': 'sha512',
  });
});

test('random bytes are never a good signature, nor an error', () => {
  fc.assert(
    fc.property(fc.nat(6), fc.uint8Array({ maxLength: 120 }), fc.boolean(), (index, bytes, named) => {
      const key = keys[index];
      if (key === undefined) throw new Error('keys are missing');
      const blob = named ? Buffer.concat([strings(signatureAlgorithmOf(key.publicKey)), bytes]) : Buffer.from(bytes);
      expect(verifySignature(key.publicKey, createHash('sha256').update(bytes).digest(), blob)).toBe(false);
    }),
    { numRuns: 1000 },
  );
});
