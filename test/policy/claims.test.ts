import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { createClaimsVerifier } from '../../src/policy/claims.ts';
import type { PolicySettings } from '../../src/policy/settings.ts';
import { HandClock } from './support/clock.ts';
import { http, type RawServer, rawServer } from './support/raw-server.ts';

const ISSUER = 'https://synthetic-issuer.example';
const AUDIENCE = 'wardend';
const CANARY = 'synthetic-canary-claim';

interface Key {
  readonly privateKey: CryptoKey;
  readonly jwk: object;
}

async function makeKey(kid: string | null, alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), ...(kid === null ? {} : { kid }), alg } };
}

let folder = '';
let jwksFile = '';
let key: Key;
let stranger: Key;
const clock = new HandClock();
const seconds = (): number => Math.floor(clock.now() / 1000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warden-claims-'));
  jwksFile = join(folder, 'jwks.json');
  [key, stranger] = await Promise.all([makeKey('k1'), makeKey('k1')]);
  await writeFile(jwksFile, JSON.stringify({ keys: [key.jwk] }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function verifier(more: Partial<PolicySettings['claims']> = {}) {
  const settings = { issuer: ISSUER, audience: AUDIENCE, jwksUri: null, jwksFile, clockSkewMs: 60_000, ...more };
  const made = createClaimsVerifier(settings, { clock });
  cleanups.push(made.close);
  return made;
}

function claims(more: JWTPayload = {}): JWTPayload {
  return { iss: ISSUER, aud: AUDIENCE, sub: 'jo', iat: seconds() - 10, exp: seconds() + 600, secret: CANARY, ...more };
}

function without(name: string): JWTPayload {
  const { [name]: _gone, ...rest } = claims();
  return rest;
}

function signed(
  payload: JWTPayload,
  header: object = {},
  by: CryptoKey | Uint8Array = key.privateKey,
): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(by);
}

function signedBytes(payload: string): Promise<string> {
  const sign = new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'ES256', kid: 'k1' });
  return sign.sign(key.privateKey);
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a good ID token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])(
    'signed with %s makes the subject',
    async (alg) => {
      const { privateKey, jwk } = await makeKey('k', alg);
      const file = join(folder, `${alg}.json`);
      await writeFile(file, JSON.stringify({ keys: [jwk] }));
      const token = await signed(claims(), { alg, kid: 'k' }, privateKey);
      await expect(verifier({ jwksFile: file }).verify(token)).resolves.toEqual({
        subject: 'iam:jo',
        expiresAt: (seconds() + 600) * 1000,
      });
    },
  );

  test.each<[string, JWTPayload, object]>([
    ['typ JWT', {}, { typ: 'JWT' }],
    ['typ application/jwt', {}, { typ: 'application/jwt' }],
    ['several audiences, issued to us', { aud: ['other', AUDIENCE], azp: AUDIENCE }, {}],
    ['an end that is past by less than the skew', { exp: 59 }, {}],
    ['a beginning that is to come by less than the skew', { nbf: -59 }, {}],
    ['an issue that is to come by less than the skew', { iat: -59 }, {}],
    ['a subject of 128 characters', { sub: 's'.repeat(128) }, {}],
  ])('with %s is taken', async (_name, more, header) => {
    const times = Object.fromEntries(
      Object.entries(more).map(([name, value]) => [name, typeof value === 'number' ? seconds() - value : value]),
    );
    const token = await signed(claims(times), header);
    await expect(verifier().verify(token)).resolves.toMatchObject({ subject: `iam:${more.sub ?? 'jo'}` });
  });
});

describe('a bad ID token is refused with the reason and nothing of itself', () => {
  const rows: [string, () => string | Promise<string>, RegExp][] = [
    ['expired', () => signed(claims({ exp: seconds() - 61 })), /^it has expired$/],
    ['not valid yet', () => signed(claims({ nbf: seconds() + 61 })), /^it is not valid yet$/],
    ['issued in the future', () => signed(claims({ iat: seconds() + 61 })), /^it was issued in the future$/],
    ['of another issuer', () => signed(claims({ iss: 'https://other.example' })), /^it is from another issuer$/],
    ['of an issuer with a slash more', () => signed(claims({ iss: `${ISSUER}/` })), /^it is from another issuer$/],
    ['for another audience', () => signed(claims({ aud: 'other' })), /^it is for another audience$/],
    [
      'for several, issued to another',
      () => signed(claims({ aud: [AUDIENCE, 'other'], azp: 'other' })),
      /^it was issued to another party$/,
    ],
    [
      'for several, issued to nobody named',
      () => signed(claims({ aud: [AUDIENCE, 'other'] })),
      /^it was issued to another party$/,
    ],
    ['for us, issued to another', () => signed(claims({ azp: 'other' })), /^it was issued to another party$/],
    ...['sub', 'exp', 'iat', 'iss', 'aud'].map((name): [string, () => Promise<string>, RegExp] => [
      `without ${name}`,
      () => signed(without(name)),
      new RegExp(`^its ${name} claim is missing$`),
    ]),
    [
      'with an end in words',
      () => signed(claims({ exp: 'never' as unknown as number })),
      /^its exp claim is malformed$/,
    ],
    ['with an empty subject', () => signed(claims({ sub: '' })), /^its subject is empty/],
    [
      'with a subject that is a number',
      () => signed(claims({ sub: 7 as unknown as string })),
      /^its subject is|^its sub claim/,
    ],
    [
      'with a subject of two lines',
      () => signed(claims({ sub: 'jo\nroot' })),
      /^its subject is empty, too long or not printable$/,
    ],
    ['with a subject with a space', () => signed(claims({ sub: 'jo ' })), /^its subject is/],
    ['with a subject in another script', () => signed(claims({ sub: 'jо' })), /^its subject is/],
    ['with a subject without end', () => signed(claims({ sub: 's'.repeat(129) })), /^its subject is/],
    [
      'signed by a stranger under the same key id',
      () => signed(claims(), {}, stranger.privateKey),
      /^its signature does not hold$/,
    ],
    ['with a key id that the issuer has not', () => signed(claims(), { kid: 'k9' }), /^the issuer has no such key$/],
    ['that is an access token', () => signed(claims(), { typ: 'at+jwt' }), /^it is a token of another type$/],
    ['that is a logout token', () => signed(claims(), { typ: 'logout+jwt' }), /^it is a token of another type$/],
    [
      'that wants an extension',
      () => `${part({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })}.${part(claims())}.AAAA`,
      /^it uses what is not supported$/,
    ],
    ['without signature', () => `${part({ alg: 'none' })}.${part(claims())}.`, /^it is no compact JWS$/],
    [
      'with alg none and a signature',
      () => `${part({ alg: 'none' })}.${part(claims())}.AAAA`,
      /^its signature algorithm is not allowed$/,
    ],
    [
      'signed with the public key as a shared secret',
      () => signed(claims(), { alg: 'HS256' }, Buffer.from(JSON.stringify(key.jwk))),
      /^its signature algorithm is not allowed$/,
    ],
    [
      'whose payload was changed',
      async () => changePart(await signed(claims()), 1, claims({ sub: 'root' })),
      /^its signature does not hold$/,
    ],
    [
      'whose header was changed',
      async () => changePart(await signed(claims()), 0, { alg: 'ES256', kid: 'k1', x: 1 }),
      /^its signature does not hold$/,
    ],
    ['encrypted, five parts', () => 'a.b.c.d.e', /^it is no compact JWS$/],
    ['with a space', async () => ` ${await signed(claims())}`, /^it is no compact JWS$/],
    ['empty', () => '', /^it is no compact JWS$/],
    ['that is no token', () => 'hunter2', /^it is no compact JWS$/],
    ['of three parts that are nothing', () => 'a.b.c', /^it is malformed$/],
    ['without end', () => `${'a'.repeat(16_384)}.b.c`, /^it is too long$/],
    ['whose payload is a list', () => signedBytes(JSON.stringify([claims()])), /^it is malformed$/],
  ];

  test.each(rows)('%s', async (_name, make, why) => {
    const token = await make();
    const error: unknown = await verifier()
      .verify(token)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    if (!(error instanceof WardenError)) throw new Error(`not refused: ${inspect(error)}`);
    expect(error.code).toBe('claims_invalid');
    expect(error.message).toMatch(/^the ID token is refused: /);
    expect(error.message.slice('the ID token is refused: '.length)).toMatch(why);
    const everything = inspect(error, { depth: 20, showHidden: true });
    expect(everything).not.toContain(CANARY);
    for (const piece of token.split('.')) if (piece.length > 8) expect(everything).not.toContain(piece);
  });

  test('one that names no key while several would fit', async () => {
    const file = join(folder, 'several.json');
    const [one, two] = await Promise.all([makeKey(null), makeKey(null)]);
    await writeFile(file, JSON.stringify({ keys: [one.jwk, two.jwk] }));
    const token = await new SignJWT(claims()).setProtectedHeader({ alg: 'ES256' }).sign(one.privateKey);
    await expect(verifier({ jwksFile: file }).verify(token)).rejects.toThrow(/names no key, and several/);
  });
});

function changePart(token: string, index: number, to: unknown): string {
  return token
    .split('.')
    .map((piece, at) => (at === index ? part(to) : piece))
    .join('.');
}

describe('keys from a file', () => {
  test('are taken up when the file changes', async () => {
    const file = join(folder, 'rolling.json');
    const next = await makeKey('k2');
    await writeFile(file, JSON.stringify({ keys: [key.jwk] }));
    const made = verifier({ jwksFile: file });
    const token = await signed(claims(), { kid: 'k2' }, next.privateKey);
    await expect(made.verify(token)).rejects.toThrow(/no such key/);
    await writeFile(`${file}.new`, JSON.stringify({ keys: [next.jwk] }));
    await rename(`${file}.new`, file);
    await expect(made.verify(token)).resolves.toMatchObject({ subject: 'iam:jo' });
    await expect(made.verify(await signed(claims()))).rejects.toThrow(/no such key/);
  });

  test.each<[string, string | null, RegExp]>([
    ['a missing file', null, /^the keys of the token issuer cannot be read$/],
    ['no JSON', 'hello', /^the key set of the token issuer is malformed$/],
    ['no key set', '{"keys":"all"}', /malformed$/],
    ['more keys than anybody has', JSON.stringify({ keys: Array(101).fill({ kty: 'EC' }) }), /malformed$/],
    ['a huge file', `{"keys":[],"pad":"${'x'.repeat(300_000)}"}`, /cannot be read$/],
  ])('%s is unavailable, which is not the fault of the token', async (_name, content, message) => {
    const file = join(folder, 'broken.json');
    await rm(file, { force: true });
    if (content !== null) await writeFile(file, content);
    await expect(verifier({ jwksFile: file }).verify(await signed(claims()))).rejects.toMatchObject({
      code: 'policy_unavailable',
      message: expect.stringMatching(message),
    });
  });

  test('that anybody may write are not used', async () => {
    const file = join(folder, 'writable.json');
    await writeFile(file, JSON.stringify({ keys: [key.jwk] }));
    await chmod(file, 0o666);
    await expect(verifier({ jwksFile: file }).verify(await signed(claims()))).rejects.toMatchObject({
      code: 'policy_unavailable',
    });
  });
});

describe('keys from the issuer', () => {
  async function issuer(answer: () => string): Promise<{ server: RawServer; jwksUri: string }> {
    const server = await rawServer((socket) => socket.write(answer()));
    cleanups.push(server.close);
    return { server, jwksUri: `http://127.0.0.1:${server.port}/keys` };
  }
  const set = (...keys: Key[]): string => http(200, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));

  test('are fetched once for many tokens, and again after ten minutes', async () => {
    const { server, jwksUri } = await issuer(() => set(key));
    const made = verifier({ jwksFile: null, jwksUri });
    const token = await signed(claims({ exp: seconds() + 86_400 }));
    await Promise.all(Array.from({ length: 50 }, () => made.verify(token)));
    clock.pass(599_999);
    await made.verify(token);
    expect(server.requests).toHaveLength(1);
    clock.pass(1);
    await made.verify(token);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[0]).toMatchObject({ method: 'GET', path: '/keys', body: '' });
    expect(server.requests[0]?.raw).not.toContain(token.slice(0, 20));
  });

  test('a new key is found, but strangers cannot make us ask again and again', async () => {
    const next = await makeKey('k2');
    let keys = [key];
    const { server, jwksUri } = await issuer(() => set(...keys));
    const made = verifier({ jwksFile: null, jwksUri });
    await made.verify(await signed(claims()));
    keys = [key, next];
    const token = await signed(claims({ exp: seconds() + 86_400 }), { kid: 'k2' }, next.privateKey);
    await expect(made.verify(token)).rejects.toThrow(/no such key/);
    expect(server.requests).toHaveLength(1);
    clock.pass(30_000);
    await expect(made.verify(token)).resolves.toMatchObject({ subject: 'iam:jo' });
    const unknown = await signed(claims(), { kid: 'k9' });
    for (let time = 0; time < 20; time += 1) await expect(made.verify(unknown)).rejects.toThrow(/no such key/);
    expect(server.requests).toHaveLength(2);
  });

  test.each([
    ['HTTP 503', () => http(503, ''), /^the token issuer answered HTTP 503 where its keys should be$/],
    ['a redirect, which is not followed', () => http(302, '', { location: '/other' }), /HTTP 302/],
    ['no JSON', () => http(200, '<html>'), /malformed$/],
    ['a huge set', () => http(200, ' '.repeat(300_000)), /^the key set of the token issuer is too large$/],
    ['something that is not HTTP', () => 'SSH-2.0\r\n\r\n', /^the keys of the token issuer cannot be fetched$/],
  ])('%s is unavailable, and asked for again only after a pause', async (_name, answer, message) => {
    const { server, jwksUri } = await issuer(answer);
    const made = verifier({ jwksFile: null, jwksUri });
    const token = await signed(claims());
    await expect(made.verify(token)).rejects.toMatchObject({
      code: 'policy_unavailable',
      message: expect.stringMatching(message),
    });
    await expect(made.verify(token)).rejects.toThrow(/could not be fetched a moment ago$/);
    expect(server.requests).toHaveLength(1);
    clock.pass(2_000);
    await expect(made.verify(token)).rejects.toThrow(message);
    expect(server.requests).toHaveLength(2);
  });

  test('keys that are too old are not used while the issuer is away', async () => {
    let up = true;
    const { jwksUri } = await issuer(() => (up ? set(key) : http(500, '')));
    const made = verifier({ jwksFile: null, jwksUri });
    const token = await signed(claims({ exp: seconds() + 86_400 }));
    await made.verify(token);
    up = false;
    await expect(made.verify(token)).resolves.toMatchObject({ subject: 'iam:jo' });
    clock.pass(600_000);
    await expect(made.verify(token)).rejects.toMatchObject({ code: 'policy_unavailable' });
  });
});

describe('settings that cannot work', () => {
  test.each<[string, Partial<PolicySettings['claims']>, RegExp]>([
    ['no issuer', { issuer: '' }, /needs issuer and audience$/],
    ['no audience', { audience: '' }, /needs issuer and audience$/],
    ['no keys', { jwksFile: null }, /needs one of jwks_file and jwks_uri$/],
    ['two sources of keys', { jwksUri: 'https://a.example/keys' }, /needs one of jwks_file and jwks_uri$/],
    ['keys over plain http', { jwksFile: null, jwksUri: 'http://a.example/keys' }, /is no https address$/],
    ['keys from a file URL', { jwksFile: null, jwksUri: 'file:///etc/passwd' }, /is no https address$/],
    ['keys from no URL', { jwksFile: null, jwksUri: 'keys' }, /is no https address$/],
  ])('%s', (_name, more, message) => {
    const settings = { issuer: ISSUER, audience: AUDIENCE, jwksUri: null, jwksFile, clockSkewMs: 0, ...more };
    expect(() => createClaimsVerifier(settings)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
    );
  });
});
