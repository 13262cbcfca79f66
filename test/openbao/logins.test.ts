import { chmod } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOpenBaoDouble } from '../../src/doubles/openbao-http.ts';
import type { OpenBaoFault } from '../../src/openbao/fault.ts';
import { callAsDaemon, sessionReady } from '../../src/openbao/session.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import { testAuthority } from '../policy/support/x509.ts';
import { type Api, apiOf, devServer, fileServer, initialise, unseal } from '../support/openbao.ts';
import { Cleanups, openTestSession, secretFiles } from './support.ts';

const cleanups = new Cleanups();
const apis: Record<string, Api> = {};
let pem = '';
let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

beforeAll(async () => {
  const real = await devServer();
  cleanups.add(real.stop);
  const double = createOpenBaoDouble();
  const { address, close } = await double.listen();
  cleanups.add(close);
  apis.real = real;
  apis.double = apiOf(address, double.state.rootToken);
  const pair = await generateKeyPair('ES256', { extractable: true });
  privateKey = pair.privateKey;
  pem = await exportSPKI(pair.publicKey);
  for (const api of [real, apis.double]) {
    await api.ok('POST', 'sys/auth/jwt', { type: 'jwt' });
    await api.ok('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [pem], bound_issuer: 'https://issuer.example' });
    await api.ok('POST', 'auth/jwt/role/warden', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['openbao'],
      bound_subject: 'wardend',
      token_policies: ['default'],
      token_ttl: '1h',
    });
  }
});
afterAll(() => cleanups.run());

const token = (claims: { aud?: string; sub?: string; iss?: string; expiresIn?: string } = {}): Promise<string> => {
  const { aud = 'openbao', sub = 'wardend', iss = 'https://issuer.example', expiresIn = '5m' } = claims;
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime(expiresIn)
    .setAudience(aud)
    .setSubject(sub)
    .setIssuer(iss)
    .sign(privateKey);
};

const faultOf = (work: Promise<unknown>): Promise<OpenBaoFault> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: OpenBaoFault) => error,
  );

describe.each(['real', 'double'])('a login by JWT (%s)', (which) => {
  const at = (): Api => {
    const api = apis[which];
    if (api === undefined) throw new Error('no such server');
    return api;
  };
  async function session(jwt: string, role = 'warden') {
    const files = await secretFiles(cleanups, { jwt });
    const login: LoginSettings = { method: 'jwt', mount: 'jwt', role, jwt_file: files.path('jwt') };
    return { ...openTestSession(cleanups, { address: at().address, login }), files };
  }

  test('with a good token works', async () => {
    const opened = await session(`${await token()}\n`);
    await sessionReady(opened);
    const held = await opened.tokens.current();
    const answer = await callAsDaemon(opened, { method: 'GET', path: 'auth/token/lookup-self' });
    expect(answer.tokenAccessor).toBe(held.accessor);
    expect(answer.data).toMatchObject({ accessor: held.accessor, path: 'auth/jwt/login', policies: ['default'] });
  });

  test.each<[string, () => Promise<string>, string]>([
    ['for another audience', () => token({ aud: 'elsewhere' }), 'warden'],
    ['of another subject', () => token({ sub: 'somebody' }), 'warden'],
    ['of another issuer', () => token({ iss: 'https://other.example' }), 'warden'],
    ['that expired', () => token({ expiresIn: '-10m' }), 'warden'],
    ['for a role that is not there', () => token(), 'nobody'],
  ])('with a token %s is refused, and does not quote it', async (_name, make, role) => {
    const jwt = await make();
    const { tokens } = await session(jwt, role);
    const fault = await faultOf(tokens.current());
    expect([fault.kind, fault.message]).toEqual(['token_invalid', 'OpenBao refuses the login of the daemon']);
    expect(tokens.status().state).toBe('refused');
    expect(JSON.stringify([fault, fault.message, tokens.status()])).not.toContain(jwt.split('.')[2]);
  });

  test('that was refused works when a good token is put there', async () => {
    const { tokens, files } = await session(await token({ aud: 'elsewhere' }));
    await faultOf(tokens.current());
    await files.write('jwt', await token());
    expect((await tokens.current()).accessor).not.toBe('');
  });
});

test('a token file that others can read is no token file', async () => {
  const api = apis.real;
  if (api === undefined) throw new Error('no server');
  const files = await secretFiles(cleanups, { token: api.rootToken });
  await chmod(files.path('token'), 0o644);
  const login: LoginSettings = { method: 'token_file', token_file: files.path('token') };
  const { tokens } = openTestSession(cleanups, { address: api.address, login });
  expect(await faultOf(tokens.current())).toMatchObject({
    kind: 'untrusted',
    message: 'openbao.login.token_file can be read by others',
  });
});

test('a token from a file works against the real one', async () => {
  const api = apis.real;
  if (api === undefined) throw new Error('no server');
  const made = (await api.call('POST', 'auth/token/create', { body: { ttl: '1h', policies: ['default'] } })).body;
  const { client_token: id, accessor } = (made as { auth: { client_token: string; accessor: string } }).auth;
  const files = await secretFiles(cleanups, { token: `${id}\n` });
  const login: LoginSettings = { method: 'token_file', token_file: files.path('token') };
  const { tokens } = openTestSession(cleanups, { address: api.address, login });
  expect((await tokens.current()).accessor).toBe(accessor);
});

test('a login by TLS certificate works against the real one, and another certificate does not', async () => {
  const ca = testAuthority('servers');
  const clients = testAuthority('clients');
  const server = await fileServer(ca.issue('bao'));
  cleanups.add(server.remove);
  await server.start();
  // This process trusts the test's CA through the client alone, so the operator's calls go the same way.
  const files = await secretFiles(cleanups, { ca: ca.cert });
  const operator = await tlsApi(server.address, ca.cert);
  const { api, keys } = await initialise(operator.address);
  expect(await unseal(api, keys.slice(0, 3))).toBe(false);
  await api.ok('POST', 'sys/auth/cert', { type: 'cert' });
  await api.ok('POST', 'auth/cert/certs/warden', {
    certificate: clients.cert,
    allowed_common_names: ['wardend'],
    token_policies: ['default'],
    token_ttl: '1h',
  });
  const good = clients.issue('wardend');
  const strange = clients.issue('somebody');
  await files.write('cert', good.cert);
  await files.write('key', good.key);
  const login: LoginSettings = {
    method: 'cert',
    mount: 'cert',
    role: 'warden',
    cert_file: files.path('cert'),
    key_file: files.path('key'),
  };
  const open = () => openTestSession(cleanups, { address: server.address, login, caFile: files.path('ca') });
  const session = open();
  await sessionReady(session);
  expect((await session.tokens.current()).accessor).not.toBe('');
  await files.write('cert', strange.cert);
  await files.write('key', strange.key);
  const { tokens } = open();
  expect((await faultOf(tokens.current())).kind).toBe('token_invalid');
  expect(tokens.status().state).toBe('refused');
});

/** A plain door to a TLS server, for the operator of a test. */
async function tlsApi(address: string, ca: string): Promise<Api> {
  const { hostname, port } = new URL(address);
  const door = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const onward = https.request({ hostname, port, method, path, headers, ca }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  cleanups.add(() => {
    door.closeAllConnections();
    door.close();
  });
  const bound = door.address();
  return apiOf(`http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`, '');
}
