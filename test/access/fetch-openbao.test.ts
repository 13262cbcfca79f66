import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secretValue } from '../support/canary.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { type CountingProxy, countingProxy, devServer, type RealServer } from '../support/openbao.ts';
import { houseWith, INVENTORY, lastRecord, recordsOf } from './support.ts';

/** Looked for afterwards in everything that the daemon leaves behind. */
const CANARY = secretValue('value-of-the-real-store');
const CANARY_WORD = `${secretValue('second-value')}\n`;

let bao: RealServer;
let proxy: CountingProxy;
let daemon: RunningDaemon;
/** May read the workloads of the test store. */
let reader = '';
/** May read nothing. */
let pauper = '';

const wardenYaml = (tier = 'test'): string => `version: 1
posture: test
openbao:
  address: ${proxy.address}
  tier: ${tier}
  login: { method: token_file, token_file: ${join(daemonToken())} }
`;
let tokenPath = '';
const daemonToken = (): string => tokenPath;

beforeAll(async () => {
  bao = await devServer();
  await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
  await bao.ok('POST', 'platform-test/data/workloads/ci/npm', { data: { token: CANARY, other: 'not-on-the-route' } });
  await bao.ok('POST', 'platform-test/data/workloads/ci/registry', { data: { user: 'ci', word: CANARY_WORD } });
  await bao.ok('POST', 'platform-test/data/workloads/ci/gone', { data: { v: 'x' } });
  await bao.ok('DELETE', 'platform-test/data/workloads/ci/gone');
  await bao.ok('POST', 'sys/policies/acl/reader', {
    policy: 'path "platform-test/data/workloads/*" { capabilities = ["read"] }',
  });
  const tokenWith = async (policies: string[]): Promise<string> => {
    const answer = await bao.call('POST', 'auth/token/create', { body: { policies, no_default_policy: false } });
    return (answer.body as { auth: { client_token: string } }).auth.client_token;
  };
  reader = await tokenWith(['reader']);
  pauper = await tokenWith(['default']);
  proxy = await countingProxy(bao.address);
  const house = houseWith({ beyondDev: true });
  tokenPath = join(house.folder, 'daemon.token');
  writeFileSync(tokenPath, await tokenWith(['reader']), { mode: 0o600 });
  writeConfig(house, { warden: wardenYaml(), inventory: INVENTORY });
  writeFileSync(
    join(house.config, 'routes.yaml'),
    `${readFileSync(join(house.config, 'routes.yaml'), 'utf8')}${MORE_ROUTES}`,
    {
      mode: 0o600,
    },
  );
  daemon = await startDaemon({ house });
}, 60_000);
afterAll(async () => {
  await daemon?.stop();
  await proxy?.close();
  await bao?.stop();
  daemon?.house.remove();
});

const MORE_ROUTES = ['gone', 'never', 'npm']
  .map(
    (name) => `  - id: r-${name}
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location: { test: { mount: platform-test, path: workloads/ci/${name}, fields: [absent] } }
    fetch_capable: true
    actors: [agt-m3]
`,
  )
  .join('')
  .concat(`  - id: r-nomount
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location: { test: { mount: nowhere, path: x, fields: [absent] } }
    fetch_capable: true
    actors: [agt-m3]
  - id: r-restricted
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: confidential }
    location: { test: { mount: platform-test, path: workloads/ci/npm, fields: [token] } }
    fetch_capable: true
    actors: [agt-m1]
`);

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });
const as = (token: string) => ({ env: { BAO_TOKEN: token } });
const why = (stderr: string): string => /why: (\w+)/.exec(stderr)?.[1] ?? stderr;

describe('$ warden fetch, from a real OpenBao', () => {
  test('with the token of the caller: the value byte for byte, and evidence that OpenBao has too', async () => {
    const result = await run('fetch npm-publish --actor agt-m1', as(reader));
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: CANARY });
    const record = lastRecord(daemon.house);
    const looked = await bao.call('GET', 'auth/token/lookup-self', { token: reader });
    const { accessor } = (looked.body as { data: { accessor: string } }).data;
    expect(record).toMatchObject({
      kind: 'fetch',
      outcome: 'ok',
      route: 'npm-publish',
      owner: 'openbao',
      actor: 'agt-m1',
      workload_maturity: 'M1',
      openbao_path: 'platform-test/data/workloads/ci/npm',
      openbao_version: 1,
      token_accessor: accessor,
      populated_key_count: 2,
    });
    expect(record.openbao_request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('with the login of the daemon: the caller needs no token, and a newline in the value stays', async () => {
    const result = await run('fetch registry-login --actor agt-m3 --field word', as(''));
    expect(result).toMatchObject({ code: 0, stdout: CANARY_WORD });
    expect(lastRecord(daemon.house)).toMatchObject({ outcome: 'ok', route: 'registry-login' });
    expect(lastRecord(daemon.house).token_accessor).toMatch(/^\S+$/);
  });

  test('only fields of the route leave', async () => {
    const answer = json(await run('fetch npm-publish --actor agt-m1 --json', as(reader)));
    expect(answer).toMatchObject({ fields: { token: CANARY }, openbao_version: 1, double: false, posture: 'test' });
    expect(Object.keys(answer.fields as object)).toEqual(['token']);
  });

  test('--wrap-ttl hands over a token that gives the value once', async () => {
    const result = await run('fetch registry-login --actor agt-m3 --field word --wrap-ttl 1m', as(''));
    expect(result.code).toBe(0);
    expect(result.stdout).not.toContain(secretValue(''));
    const unwrap = () => bao.call('POST', 'sys/wrapping/unwrap', { token: result.stdout });
    expect((await unwrap()).body).toMatchObject({ data: { word: CANARY_WORD } });
    expect((await unwrap()).status).toBe(400);
  });

  test.each([
    ['no token', 'fetch npm-publish --actor agt-m1', '', 1, 'token_missing'],
    ['a token that OpenBao does not know', 'fetch npm-publish --actor agt-m1', 'hvs.unknown', 1, 'owner_refused'],
    ['a token without the policy', 'fetch npm-publish --actor agt-m1', 'PAUPER', 1, 'owner_refused'],
    ['a path where nothing is', 'fetch r-never --actor agt-m3', 'READER', 1, 'secret_missing'],
    ['a version that was deleted', 'fetch r-gone --actor agt-m3', 'READER', 1, 'secret_missing'],
    ['a field that is not there', 'fetch r-npm --actor agt-m3', 'READER', 1, 'secret_missing'],
    ['an engine that is not mounted', 'fetch r-nomount --actor agt-m3', 'ROOT', 1, 'owner_refused'],
    ['a maturity below what the secret requires', 'fetch npm-publish --actor agt-m0', 'READER', 1, 'lattice_refused'],
    ['a maturity below the floor of the class', 'fetch r-restricted --actor agt-m1', 'READER', 1, 'lattice_refused'],
  ])('%s is refused and recorded, and nothing is released', async (_what, args, who, code, reason) => {
    const token = { READER: reader, PAUPER: pauper, ROOT: bao.rootToken }[who] ?? who;
    const result = await run(args, as(token));
    expect(result).toMatchObject({ code, stdout: '' });
    expect(why(result.stderr)).toBe(reason);
    expect(lastRecord(daemon.house)).toMatchObject({ kind: 'fetch', outcome: 'refused', reason });
  });

  test('what the lattice refuses never reaches OpenBao, and says what is needed and what is there', async () => {
    const before = proxy.seen.length;
    const result = await run('fetch npm-publish --actor agt-m0', as(reader));
    expect(result.stderr).toContain('the workload is M0, below the M1 that the secret requires');
    expect(proxy.seen.slice(before).filter((line) => line.includes('/workloads/'))).toEqual([]);
  });

  test('the status says how OpenBao is, and how many routes there are', async () => {
    const status = await run('status --json');
    expect(status.code).toBe(0);
    expect(json(status)).toMatchObject({
      snapshot: { routes: 11 },
      dependencies: expect.arrayContaining([{ name: 'openbao', state: 'serving', detail: 'tier test', hint: '' }]),
    });
  });

  test('a policy that is narrowed and widened again counts at once', async () => {
    const policy = (capabilities: string) =>
      bao.ok('POST', 'sys/policies/acl/reader', {
        policy: `path "platform-test/data/workloads/*" { capabilities = [${capabilities}] }`,
      });
    await policy('"deny"');
    const refused = await run('fetch npm-publish --actor agt-m1', as(reader));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('the policies of your token do not permit platform-test/data/workloads/ci/npm');
    await policy('"read"');
    expect(await run('fetch npm-publish --actor agt-m1', as(reader))).toMatchObject({ code: 0, stdout: CANARY });
  });

  test('a token of the caller that was good a moment ago and is revoked: OpenBao refuses the read itself', async () => {
    const created = await bao.call('POST', 'auth/token/create', { body: { policies: ['reader'] } });
    const { client_token: mine } = (created.body as { auth: { client_token: string } }).auth;
    expect(await run('fetch npm-publish --actor agt-m1', as(mine))).toMatchObject({ code: 0, stdout: CANARY });
    await bao.ok('POST', 'auth/token/revoke', { token: mine });
    const refused = await run('fetch npm-publish --actor agt-m1', as(mine));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(lastRecord(daemon.house)).toMatchObject({ outcome: 'refused', reason: 'owner_refused' });
  });

  test('a token of the daemon that was revoked: refused without a storm, and mended by a new one in the file', async () => {
    const revoked = readFileSync(tokenPath, 'utf8');
    await bao.ok('POST', 'auth/token/revoke', { token: revoked });
    const before = proxy.seen.length;
    for (let n = 0; n < 10; n += 1) {
      const result = await run('fetch registry-login --actor agt-m3 --field user', as(''));
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(why(result.stderr)).toBe('owner_refused');
    }
    // A read that finds out and a look-up or two that make sure; not one for each request.
    expect(proxy.seen.slice(before).filter((line) => !line.includes('sys/health')).length).toBeLessThanOrEqual(9);
    const fault = 'OpenBao does not take the token: it is unknown, expired or revoked (permission denied)';
    // A token that came less than ten seconds before is looked at again after a pause, which may still be under way.
    const shown = async (): Promise<unknown> => {
      const { dependencies } = json(await run('status --json', as('')));
      return (dependencies as { name: string }[]).find(({ name }) => name === 'openbao');
    };
    await expect.poll(shown, { timeout: 20_000 }).toMatchObject({
      state: 'not_serving',
      detail: `OpenBao refuses the daemon's login by token_file: ${fault}`,
    });
    // A reload that somebody asks for is one more try, also where certificates do not come from OpenBao.
    const tries = (): number => proxy.seen.filter((line) => line.includes('lookup-self')).length;
    const tried = tries();
    expect((await run('reload', as(''))).code).toBe(0);
    await expect.poll(tries).toBe(tried + 1);
    const fresh = await bao.call('POST', 'auth/token/create', { body: { policies: ['reader'] } });
    writeFileSync(tokenPath, (fresh.body as { auth: { client_token: string } }).auth.client_token);
    expect(await run('fetch registry-login --actor agt-m3 --field user', as(''))).toMatchObject({
      code: 0,
      stdout: 'ci',
    });
  });

  test('an OpenBao that is sealed says so, and the daemon goes on by itself once it is unsealed', async () => {
    const key = /Unseal Key: (\S+)/.exec(bao.output())?.[1];
    await bao.ok('PUT', 'sys/seal');
    const sealed = await run('fetch npm-publish --actor agt-m1', as(reader));
    expect(sealed).toMatchObject({ code: 4, stdout: '' });
    expect(sealed.stderr).toContain('OpenBao is sealed');
    expect(lastRecord(daemon.house)).toMatchObject({ outcome: 'failed', reason: 'owner_unavailable' });
    await bao.ok('PUT', 'sys/unseal', { key });
    expect(await run('fetch npm-publish --actor agt-m1', as(reader))).toMatchObject({ code: 0, stdout: CANARY });
  });

  test('an OpenBao of another tier, or of one that nobody says, is refused, and mended by a reload', async () => {
    for (const yaml of [wardenYaml('prod'), wardenYaml().replace(/^ +tier: test\n/m, '')]) {
      writeConfig(daemon.house, { warden: yaml, inventory: INVENTORY });
      await run('reload');
      const refused = await run('fetch npm-publish --actor agt-m1', as(reader));
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(why(refused.stderr)).toBe('tier_mismatch');
    }
    writeConfig(daemon.house, { warden: wardenYaml(), inventory: INVENTORY });
    await run('reload');
    expect(await run('fetch npm-publish --actor agt-m1', as(reader))).toMatchObject({ code: 0, stdout: CANARY });
  });

  test('a store that does not answer is a fault of its own', async () => {
    const house = houseWith({
      beyondDev: true,
      warden: 'version: 1\nposture: test\nopenbao: { address: "http://127.0.0.1:1", tier: test }\n',
    });
    const alone = await startDaemon({ house });
    try {
      const result = await warden(['fetch', 'npm-publish', '--actor', 'agt-m1'], {
        env: { WARDEN_SOCKET: alone.socket, BAO_TOKEN: reader },
      });
      expect(result).toMatchObject({ code: 4, stdout: '' });
      expect(why(result.stderr)).toBe('owner_unavailable');
      expect(lastRecord(house)).toMatchObject({ kind: 'fetch', outcome: 'failed', reason: 'owner_unavailable' });
      const status = await warden(['status', '--json'], { env: { WARDEN_SOCKET: alone.socket } });
      expect(status.code).toBe(4);
      expect(json(status).dependencies).toContainEqual(
        expect.objectContaining({ name: 'openbao', state: 'not_serving', detail: 'OpenBao cannot be reached' }),
      );
    } finally {
      await alone.stop();
      house.remove();
    }
  });
});

test('a value that went through the daemon is in nothing that it leaves behind', async () => {
  expect(
    recordsOf(daemon.house).filter(({ kind, outcome }) => kind === 'fetch' && outcome === 'ok').length,
  ).toBeGreaterThan(3);
  const read = (path: string): string => readFileSync(path, 'latin1');
  const places = new Map<string, string>();
  for (const folder of [daemon.house.config, daemon.house.state, join(daemon.house.folder, 'run')]) {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      if (statSync(path).isFile()) places.set(path, read(path));
    }
  }
  for (const name of ['environ', 'cmdline', 'comm', 'status']) {
    places.set(`/proc ${name}`, read(`/proc/${daemon.pid}/${name}`));
  }
  places.set('log', daemon.stderr.join('\n'));
  expect(places.size).toBeGreaterThan(8);
  for (const [place, text] of places) {
    for (const secret of [secretValue(''), reader, pauper]) {
      expect(text.includes(secret), `${place} holds ${secret.slice(0, 8)}`).toBe(false);
    }
  }
});
