import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valueKey, valueLike } from '../../src/posture/value-like.ts';

// Put together at run time, so that no scanner of this repository takes an example for a leak.
const join = (...parts: string[]): string => parts.join('');

describe('valueLike', () => {
  test.each<[string, string, string]>([
    ['an OpenSSH private key', join('-----BEGIN OPENSSH ', 'PRIVATE KEY-----'), 'a private key'],
    ['its body alone', join('b3BlbnNzaC1r', 'ZXktdjEAAAAABG5vbmU'), 'a private key'],
    ['an RSA key', join('-----BEGIN RSA ', 'PRIVATE KEY-----'), 'a private key'],
    ['a certificate', '-----BEGIN CERTIFICATE-----', 'an armoured block'],
    ['an age identity', join('AGE-SECRET-', 'KEY-1QQQQ'), 'an age key'],
    ['an OpenBao service token', join('hvs', '.CAESIJ1234'), 'an OpenBao token'],
    ['an old OpenBao token', join('s', '.abcdefghijklmnopqrstuvwx'), 'an OpenBao token'],
    ['a JSON web token', join('eyJhbGciOiJ', 'FZERTQSJ9.eyJzdWIiOiJ4In0.c2ln'), 'a JSON web token'],
    ['a GitHub token', join('ghp', '_abcdefghij0123456789'), "a service's token"],
    ['an npm token', join('npm', '_abcdefghijklmnop0123'), "a service's token"],
    ['an AWS key id', join('AKIA', 'IOSFODNN7EXAMPLE'), "a service's token"],
    ['a password in an address', 'postgres://app:hunter2@db/x', 'a password in an address'],
    ['a header', 'Authorization: Bearer abcdefgh12', 'an authorization header'],
    ['a bcrypt hash', '$2b$10$abcdefghijklmnopqrstuv', 'a password hash'],
    ['a UUID, as an AppRole secret id is', '3f2b8c1e-9d4a-4b7f-8a6e-2c5d1f0e9b3a', 'a UUID'],
    ['a SHA-256 in hex', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 'a random string'],
    ['base64 of a key', 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ', 'a random string'],
    ['a generated password', 'xK9#mQ2$vL7!pR4@', 'a random string'],
    ['forty lower-case letters and digits', 'k3j9x2m8q7w1z5v4t6r0p3n8b2c7d1f9g4h6s5l0', 'a random string'],
  ])('%s is told by its kind', (_name, text, kind) => {
    expect(valueLike(text)).toBe(kind);
    expect(valueLike(`  # was ${text}, once`)).toBe(kind);
  });

  test.each([
    'npm-auth-token',
    'NPM_AUTH_TOKEN',
    'prod-eu-west-1',
    'm-17',
    'm-17-prod-eu-west-1-db-2-v3-k8s-node-7',
    's3://audit-prod-eu-west-1/warden/2026',
    'https://audit.example.net/buckets/warden-prod-2026/ledger',
    'arn:aws:s3:::audit-bucket-of-the-platform-team',
    'system:serviceaccount:payments:invoice-worker',
    'workload-identity-federation-authorization-server',
    'workloadIdentityFederation',
    'customerRecordsDatabasePassword',
    'shamir-3-of-5',
    'generated-fresh',
    '2026-09-01',
    '2026-11-23T01:02:03.000Z',
    '# ------------------------------------------------------------------',
    '# Reference manifest: names of environments, workloads, secrets and flows.',
    'openbao-unseal-custody-models.md',
    'tenant:platform/iam:agt-state-hub-bridge',
    '10.0.0.0/8, 192.168.0.0/16, 2001:db8::/32',
  ])('%s is a name', (text) => {
    expect(valueLike(text)).toBeNull();
  });

  // The same bytes in each run: what is told by its randomness is told for nearly all, never for all.
  const bytes = (index: number): Buffer => createHash('sha256').update(`value ${index}`).digest().subarray(0, 24);
  test.each(['base64', 'base64url', 'hex'] as const)(
    'of 5000 random strings in %s, 24 bytes each, fewer than one in a thousand passes as a name',
    (encoding) => {
      const made = Array.from({ length: 5_000 }, (_, index) => bytes(index).toString(encoding));
      expect(made.filter((text) => valueLike(text) === null).length).toBeLessThan(5);
    },
  );

  test('no UUID passes, in either case', () => {
    for (let i = 0; i < 50; i += 1) {
      const id = randomUUID();
      expect(valueLike(id)).not.toBeNull();
      expect(valueLike(id.toUpperCase())).not.toBeNull();
    }
  });

  test('short words joined by separators pass, however many', () => {
    const word = fc.stringMatching(/^[a-z]{2,9}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), fc.constantFrom('-', '_', '.', '/'), (words, by) => {
        fc.pre(!/^[sbr]\./.test(words.join(by)));
        expect(valueLike(words.join(by))).toBeNull();
      }),
    );
  });

  test('a megabyte of anything is answered, not pondered over', () => {
    for (const part of ['a', '-', '= ', 'aB3-', '-----BEGIN ', '://@', 'eyJ.']) {
      expect(() => valueLike(part.repeat(1_000_000 / part.length))).not.toThrow();
    }
  });
});

describe('valueKey', () => {
  test.each([
    'value',
    'password',
    'npm_token',
    'clientSecret',
    'API-KEY',
    'apiKey',
    'private_key',
    'passphrase',
    'secrets',
    'PIN',
  ])('%s names a value', (key) => {
    expect(valueKey(key)).toBe(true);
  });
  test.each([
    'id',
    'environment',
    'required_maturity',
    'material_id',
    'data_class',
    'last_restore_drill',
    'secret_name',
    'compass',
    'opinion',
  ])('%s names none', (key) => {
    expect(valueKey(key)).toBe(false);
  });
});
