import { chmod } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOpenBaoDouble } from '../../src/doubles/openbao-http.ts';
import type { OpenBaoFault } from '../../src/openbao/fault.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import { type Api, apiOf, devServer } from '../support/openbao.ts';
import { shapeOf } from './contract-cases.ts';
import { type Account, type KubernetesApi, kubernetesApi } from './kubernetes-api.ts';
import { Cleanups, openTestSession, secretFiles } from './support.ts';

const cleanups = new Cleanups();
const apis = new Map<string, Api>();
let cluster: KubernetesApi;

const ROLE = {
  bound_service_account_names: ['wardend'],
  bound_service_account_namespaces: ['platform'],
  audience: 'openbao',
  token_policies: ['default'],
  token_ttl: '1h',
};

beforeAll(async () => {
  cluster = await kubernetesApi();
  cleanups.add(cluster.close);
  const real = await devServer();
  cleanups.add(real.stop);
  const double = createOpenBaoDouble();
  const { address, close } = await double.listen();
  cleanups.add(close);
  apis.set('real', real).set('double', apiOf(address, double.state.rootToken));
  for (const api of apis.values()) {
    await api.ok('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
    await api.ok('POST', 'auth/kubernetes/config', {
      kubernetes_host: cluster.address,
      kubernetes_ca_cert: cluster.ca.cert,
      token_reviewer_jwt: cluster.reviewer,
      disable_local_ca_jwt: true,
      pem_keys: [cluster.signingKey],
    });
    await api.ok('POST', 'auth/kubernetes/role/warden', ROLE);
  }
});
afterAll(() => cleanups.run());

const at = (which: string): Api => {
  const api = apis.get(which);
  if (api === undefined) throw new Error('no such server');
  return api;
};

describe("the contract of OpenBao's Kubernetes logins, by the real one before a cluster and by the double", () => {
  type Row = [string, { role?: string; jwt?: () => Promise<string> | string; account?: Account }, number, string[]];
  const forged = async (): Promise<string> => `${(await cluster.token()).slice(0, -12)}AAAAAAAAAAAA`;
  const audience = 'invalid audience (aud) claim: audience claim does not match any expected audience';
  test.each<Row>([
    ['a token of the account', {}, 200, []],
    ['a token of another account', { account: { name: 'other' } }, 403, ['service account name not authorized']],
    ['a token of another namespace', { account: { namespace: 'other' } }, 403, ['namespace not authorized']],
    ['a token for another audience', { account: { audience: 'other' } }, 403, [audience]],
    [
      'a token that has expired',
      { account: { expiresIn: '-10m' } },
      403,
      ['invalid expiration time (exp) claim: token is expired'],
    ],
    ['a signature by nobody', { jwt: forged }, 403, ['permission denied']],
    ['what is no token', { jwt: () => 'junk' }, 403, ['permission denied']],
    ['no token', { jwt: () => '' }, 400, ['missing jwt']],
    ['a role that is not there', { role: 'nobody' }, 400, ['invalid role name "nobody"']],
    ['no role', { role: '' }, 400, ['missing role']],
  ])('%s', async (_name, { role = 'warden', jwt, account }, status, errors) => {
    const body = { role, jwt: await (jwt ?? (() => cluster.token(account)))() };
    const ask = (which: string) => at(which).call('POST', 'auth/kubernetes/login', { token: null, body });
    const [real, double] = [await ask('real'), await ask('double')];
    for (const answer of [real, double]) {
      expect(answer.status, JSON.stringify(answer.body)).toBe(status);
      if (status !== 200) expect(answer.body).toEqual({ errors });
    }
    expect(shapeOf(double.body)).toEqual(shapeOf(real.body));
  });

  test.each([
    ['the configuration, without its token', 'GET', 'config', undefined, 200],
    ['the role as it is read back', 'GET', 'role/warden', undefined, 200],
    ['a role that is not there', 'GET', 'role/none', undefined, 404],
    ['a role for nobody in particular', 'POST', 'role/none', { token_policies: ['default'] }, 400],
  ])('%s', async (_name, method, path, body, status) => {
    const ask = (which: string) =>
      at(which).call(method, `auth/kubernetes/${path}`, body === undefined ? {} : { body });
    const [real, double] = [await ask('real'), await ask('double')];
    expect([real.status, double.status]).toEqual([status, status]);
    expect(shapeOf(double.body)).toEqual(shapeOf(real.body));
  });
});

/** A session of the daemon's, whose timers are run by hand. */
async function session(which: string, more: { jwt?: string; role?: string } = {}) {
  const files = await secretFiles(cleanups, { jwt: more.jwt ?? (await cluster.token()) });
  // As kubelet mounts it: readable by all in the pod.
  await chmod(files.path('jwt'), 0o644);
  const timers: (() => void)[] = [];
  const login: LoginSettings = {
    method: 'kubernetes',
    mount: 'kubernetes',
    role: more.role ?? 'warden',
    jwt_file: files.path('jwt'),
  };
  const opened = openTestSession(cleanups, {
    address: at(which).address,
    login,
    timers: {
      after: (_ms, run) => {
        timers.push(run);
        return () => timers.splice(0);
      },
    },
  });
  return { ...opened, files, due: () => timers.shift()?.() };
}

const faultOf = (work: Promise<unknown>): Promise<OpenBaoFault> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: OpenBaoFault) => error,
  );

describe.each(['real', 'double'])('a login by a service account of Kubernetes (%s)', (which) => {
  test('takes a token that all in the pod can read, and is renewed', async () => {
    const { tokens, due } = await session(which);
    const { accessor } = await tokens.current();
    expect(accessor).not.toBe('');
    due();
    await tokens.settled();
    expect(tokens.status()).toMatchObject({ state: 'ok', accessor, logins: 1, renewals: 1, fault: '' });
  });

  test('of another account is refused once, says why, and is mended by a token in the file', async () => {
    const jwt = await cluster.token({ name: 'other' });
    const { tokens, files } = await session(which, { jwt });
    for (let request = 0; request < 20; request += 1) {
      expect((await faultOf(tokens.current())).kind).toBe('token_invalid');
    }
    const status = tokens.status();
    expect(status).toMatchObject({
      state: 'refused',
      logins: 0,
      fault: 'OpenBao rejected the request (service account name not authorized)',
    });
    expect(JSON.stringify(status)).not.toContain(jwt.split('.')[2]);
    await files.write('jwt', await cluster.token());
    expect((await tokens.current()).accessor).not.toBe('');
  });

  test('for a role that is not there is refused, and says which', async () => {
    const { tokens } = await session(which, { role: 'nobody' });
    await faultOf(tokens.current());
    expect(tokens.status()).toMatchObject({
      state: 'refused',
      fault: 'OpenBao rejected the request (invalid role name "nobody")',
    });
  });
});

test('the real one asks the cluster in its own name, and an account that is gone logs in no more', async () => {
  const before = cluster.reviews.length;
  const jwt = await cluster.token();
  const { tokens } = await session('real', { jwt });
  await tokens.current();
  expect(cluster.reviews.slice(before)).toEqual([{ bearer: 'Bearer the reviewer', authenticated: true }]);
  cluster.remove('platform', 'wardend');
  const late = await session('real', { jwt });
  for (let request = 0; request < 20; request += 1) await faultOf(late.tokens.current());
  expect(cluster.reviews.slice(before + 1)).toEqual([{ bearer: 'Bearer the reviewer', authenticated: false }]);
  expect(late.tokens.status()).toMatchObject({
    state: 'refused',
    fault: 'OpenBao rejected the request (permission denied)',
  });
});
