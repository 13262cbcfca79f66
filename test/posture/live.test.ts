import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/kernel/secret.ts';
import { connectOpenBao } from '../../src/openbao/connect.ts';
import { readStoreFacts } from '../../src/openbao/store-facts.ts';
import { checkLive, type LiveFacts, type StoreFacts } from '../../src/posture/live.ts';
import type { Environment } from '../../src/posture/manifest.ts';
import { makeCaKey } from '../support/ca-key.ts';
import { json, warden } from '../support/cli.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { devServer, fileServer, initialise, type RealServer, unseal } from '../support/openbao.ts';
import { EXAMPLE, example, manifestOf } from './support.ts';

const DEV: StoreFacts = {
  sealType: 'shamir',
  threshold: 1,
  shares: 1,
  storage: 'inmem',
  auditDevices: ['file'],
  mounts: ['ssh'],
};
const SEALED: StoreFacts = { ...DEV, threshold: 3, shares: 5, storage: 'raft' };
const environments = new Map(manifestOf(EXAMPLE).environments.map((environment) => [environment.posture, environment]));

describe('what runs, held against the manifest', () => {
  test.each<[string, Environment['posture'], Partial<Environment>, Partial<LiveFacts>, string[]]>([
    ['a dev server behind test', 'test', {}, { posture: 'test', store: DEV }, []],
    ['the same, said to unseal itself', 'test', { unseal: 'auto' }, { posture: 'test', store: DEV }, []],
    ['a dev server behind prod', 'prod', {}, { store: DEV }, ['live_backend', 'live_unseal']],
    ['three of five shares on disk behind prod', 'prod', {}, { store: SEALED }, []],
    ['two of five', 'prod', {}, { store: { ...SEALED, threshold: 2 } }, ['live_unseal']],
    ['one share on disk', 'prod', {}, { store: { ...SEALED, threshold: 1, shares: 1 } }, ['live_unseal']],
    ['a seal that opens by itself', 'prod', {}, { store: { ...SEALED, sealType: 'awskms' } }, ['live_unseal']],
    ['no audit device', 'prod', {}, { store: { ...SEALED, auditDevices: [] } }, ['live_audit']],
    [
      'no audit device where audit is optional',
      'prod',
      { audit: { level: 'optional', shipped_to: null, last_restore_drill: null, last_break_glass_drill: null } },
      { store: { ...SEALED, auditDevices: [] } },
      [],
    ],
    ['a mount that is missing', 'prod', {}, { neededMounts: ['ssh', 'ssh-client'] }, ['live_mounts']],
    ['a daemon of another posture', 'prod', {}, { posture: 'test' }, ['live_daemon']],
  ])('%s', (_name, posture, change, facts, expected) => {
    const environment = environments.get(posture);
    if (environment === undefined) throw new Error('the example has every posture');
    const checks = checkLive({ ...environment, ...change }, 2, {
      posture,
      store: SEALED,
      neededMounts: ['ssh'],
      ...facts,
    });
    expect(checks.filter(({ held }) => !held).map(({ rule }) => rule)).toEqual(expected);
    expect(checks.map(({ rule }) => rule)).toEqual([
      'live_daemon',
      'live_backend',
      'live_unseal',
      'live_audit',
      'live_mounts',
    ]);
    for (const { path, about } of checks)
      expect([path.slice(0, 2), about]).toEqual([['environments', 2], `environment ${environment.id}`]);
  });
});

describe('$ warden posture check --live, with a real daemon and a real OpenBao', () => {
  let house: House;
  let daemon: RunningDaemon;
  let real: RealServer;

  beforeAll(async () => {
    real = await devServer();
    house = makeHouse();
    rmSync(join(house.config, 'ca_ed25519'));
    makeCaKey(join(house.config, 'ca_ed25519'), 'ca-of-test');
    const login = join(house.config, 'token');
    writeFileSync(login, `${real.rootToken}\n`, { mode: 0o600 });
    writeConfig(house, {
      warden: `version: 1\nposture: test\nopenbao:\n  address: ${real.address}\n  tier: test\n  login: { method: token_file, token_file: ${login} }\n`,
    });
    daemon = await startDaemon({ house });
    mkdirSync(join(house.folder, 'home'));
    writeFileSync(join(house.folder, 'good.yaml'), EXAMPLE);
  });
  afterAll(async () => {
    await daemon?.stop();
    await real?.stop();
    house?.remove();
  });

  const check = (more: readonly string[] = [], env: Record<string, string> = { BAO_TOKEN: real.rootToken }) =>
    warden(['posture', 'check', 'good.yaml', '--live', '--at', '2026-11-01', '--config', house.config, ...more], {
      cwd: house.folder,
      env: { WARDEN_SOCKET: daemon.socket, ...env },
    });
  const rules = async (more: readonly string[] = []): Promise<string[]> => {
    const { findings } = json(await check([...more, '--json'])) as { findings: { rule: string }[] };
    return findings.map(({ rule }) => rule);
  };

  test('a store without audit device is found out', async () => {
    expect(await check()).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^good\.yaml:\d+:\d+: error live_audit environment test-ci: the store has no audit device, and the manifest says audit is on\n/,
      ),
    });
  });

  test('a mount that a route leads to and that is not there is found out', async () => {
    const routes = join(house.config, 'routes.yaml');
    writeFileSync(
      routes,
      `version: 1
routes:
  - id: npm
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location: { test: { mount: platform-test, path: ci/npm, fields: [token] } }
    fetch_capable: true
    actors: [agt-test]
`,
      { mode: 0o600 },
    );
    try {
      expect((await check()).stdout).toContain('the store lacks the mounts that the daemon needs: platform-test\n');
      await real.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
      expect(await rules()).not.toContain('live_mounts');
    } finally {
      rmSync(routes);
    }
  });

  test('a prod environment is not what runs here', async () => {
    expect(await rules(['--environment', 'prod-eu'])).toEqual(
      expect.arrayContaining(['live_daemon', 'live_backend', 'live_unseal']),
    );
  });

  test('nothing is written: mounts and policies are as before', async () => {
    const before = await real.ok('GET', 'sys/mounts');
    await check();
    expect(await real.ok('GET', 'sys/mounts')).toEqual(before);
  });

  test.each<[string, readonly string[], Record<string, string>, number, string]>([
    ['without a token', [], { BAO_TOKEN: '' }, 2, 'no OpenBao token of yours'],
    ['with a bad token', [], { BAO_TOKEN: 's.bad' }, 2, 'may not read what --live judges'],
    ['without a daemon', ['--socket', '/nonexistent/s.sock'], { BAO_TOKEN: 'x' }, 3, 'daemon_unreachable'],
    ['for an environment that is not there', ['--environment', 'moon'], {}, 2, 'has no environment "moon"'],
  ])("%s nothing is judged, and the exit code is no finding's", async (_name, more, env, code, message) => {
    const result = await check(more, { BAO_TOKEN: real.rootToken, ...env });
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(result.stderr).not.toContain(real.rootToken);
  });

  test('--environment without --live is a usage error', async () => {
    const result = await warden(['posture', 'check', 'good.yaml', '--environment', 'prod-eu'], { cwd: house.folder });
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('add --live') });
  });

  test('two environments of the posture must be told apart', async () => {
    const block = EXAMPLE.slice(EXAMPLE.indexOf('  - id: test-ci'), EXAMPLE.indexOf('  - id: prod-eu'));
    const second = block.replace('test-ci', 'test-two');
    writeFileSync(join(house.folder, 'two.yaml'), example(['  - id: prod-eu', `${second}  - id: prod-eu`]));
    const result = await warden(['posture', 'check', 'two.yaml', '--live', '--config', house.config], {
      cwd: house.folder,
      env: { WARDEN_SOCKET: daemon.socket, BAO_TOKEN: real.rootToken },
    });
    expect(result).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('say which one it serves: --environment ID'),
    });
  });
});

test('a real OpenBao on disk, unsealed by three of five, is what the manifest says of prod; sealed, it is not judged', async () => {
  const server = await fileServer();
  try {
    await server.start();
    const { api, keys } = await initialise(server.address);
    const settings = { address: server.address, ca_file: null, namespace: null };
    const client = connectOpenBao({ settings, login: null, acceptDoubles: false });
    const token = new Secret(Buffer.from(api.rootToken));
    await expect(readStoreFacts(client, token)).rejects.toMatchObject({ kind: 'sealed' });
    await unseal(api, keys.slice(0, 3));
    const store = await readStoreFacts(client, token);
    expect(store).toMatchObject({
      sealType: 'shamir',
      threshold: 3,
      shares: 5,
      storage: 'raft',
      auditDevices: ['file'],
    });
    const prod = environments.get('prod');
    if (prod === undefined) throw new Error('the example has a prod environment');
    const checks = checkLive(prod, 2, { posture: 'prod', store, neededMounts: [] });
    expect(checks.filter(({ held }) => !held)).toEqual([]);
    await client.close();
  } finally {
    await server.remove();
  }
});
