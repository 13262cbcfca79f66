import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faultOfAnswers } from '../../daemon/probes.ts';
import { FetchRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { furnish } from '../openbao/support.ts';
import { startAgent } from '../signing/support/agent.ts';
import { secretValue } from '../support/canary.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { devServer, type RealServer } from '../support/openbao.ts';
import { sshKeygenOk } from '../support/ssh-keygen.ts';
import { DecisionPointServer } from './decision-point.ts';
import { Client, clear, houseOf, NO_LIMITS, refusalOf } from './support.ts';

describe('a decision point that is ready and answers nothing', () => {
  const lastFault = { kind: 'http_status', message: 'HTTP 401', at: 100_000 } as const;
  test.each([
    ['answered the last question', 0, lastFault, 100_001, null],
    ['failed twice', 2, lastFault, 100_001, null],
    ['failed three times', 3, lastFault, 100_001, 'the last 3 questions failed: HTTP 401'],
    ['failed a minute ago, and nobody has asked since', 3, lastFault, 160_001, null],
    ['was never asked', 0, null, 100_001, null],
  ])('%s', (_what, faultsInARow, fault, now, expected) => {
    expect(faultOfAnswers({ faultsInARow, lastFault: fault }, now)).toBe(expected);
  });
});

describe('health, part by part', () => {
  let bao: RealServer;
  let point: DecisionPointServer;
  let house: House;
  let daemon: RunningDaemon;
  let client: Client;
  let accessor = '';

  const yaml = (tier: string): string => `version: 1
posture: test
backend: openbao
policy: { enabled: true, flex_auth_url: "${point.url}", gate: [sign, fetch], cache_ttl: 0s }
openbao: { address: "${bao.address}", tier: ${tier}, login: { method: token_file, token_file: token } }
${NO_LIMITS}`;

  async function freshToken(): Promise<void> {
    const made = await bao.call('POST', 'auth/token/create', { body: { policies: ['root'], ttl: '1h' } });
    const { auth } = made.body as { auth: { client_token: string; accessor: string } };
    accessor = auth.accessor;
    writeFileSync(join(house.config, 'token'), auth.client_token, { mode: 0o600 });
  }

  const parts = async (): Promise<Record<string, string>> => {
    const names = ['', 'config', 'ledger', 'policy', 'ca', 'openbao', 'release'];
    const states = await Promise.all(names.map((name) => client.health(name)));
    return Object.fromEntries(names.map((name, index) => [name, states[index] ?? '']));
  };
  const ALL_WELL = Object.fromEntries(
    ['', 'config', 'ledger', 'policy', 'ca', 'openbao', 'release'].map((name) => [name, 'SERVING']),
  );
  const fetchWord = () =>
    client.call(WardenDefinition.methods.fetch, FetchRequest.fromPartial({ route: 'word', actor: 'agt-test' }));

  beforeAll(async () => {
    bao = await devServer();
    point = await DecisionPointServer.start(() => ({ effect: 'allow', id: 'decision:1' }));
    const { caKey } = await furnish(bao);
    await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
    await bao.ok('POST', 'platform-test/data/word', { data: { word: secretValue('word') } });
    house = makeHouse();
    writeFileSync(join(house.config, 'ca.pub'), caKey, { mode: 0o600 });
    writeFileSync(
      join(house.config, 'routes.yaml'),
      `version: 1
routes:
  - id: word
    title: word
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M0, data_class: synthetic }
    location: { test: { mount: platform-test, path: word, fields: [word] } }
    fetch_capable: true
    actors: [agt-test]
`,
      { mode: 0o600 },
    );
    await freshToken();
    writeConfig(house, { warden: yaml('test') });
    daemon = await startDaemon({ house });
    client = await Client.open(daemon.socket);
  }, 60_000);

  afterAll(async () => {
    client?.close();
    await clear(daemon, house);
    await point.close();
    await bao.stop();
  });

  test('all is well, and work is done', async () => {
    await client.sign();
    await fetchWord();
    expect(await parts()).toEqual(ALL_WELL);
  });

  test('a decision point that takes nobody: policy is down though it calls itself ready, and up with the first answer', async () => {
    point.answer = () => 401;
    for (let i = 0; i < 3; i += 1) expect((await refusalOf(client.sign())).reason).toBe('policy_unavailable');
    await client.healthBecomes('policy', 'NOT_SERVING');
    expect(await parts()).toEqual({ ...ALL_WELL, policy: 'NOT_SERVING' });
    const { dependencies } = await client.status();
    expect(dependencies.find(({ name }) => name === 'policy')?.detail).toMatch(
      /ready, but the last \d questions failed: .*401/,
    );
    point.answer = () => ({ effect: 'allow', id: 'decision:2' });
    await client.sign();
    await client.healthBecomes('policy', 'SERVING');
  }, 30_000);

  test('a store of another tier: nothing of it is released, and openbao says so', async () => {
    writeConfig(house, { warden: yaml('prod') });
    await client.reload();
    await client.healthBecomes('openbao', 'NOT_SERVING');
    expect((await refusalOf(fetchWord())).reason).toBe('tier_mismatch');
    expect(await client.health('ca')).toBe('SERVING');
    writeConfig(house, { warden: yaml('test') });
    await client.reload();
    await client.healthBecomes('openbao', 'SERVING');
  });

  test("the daemon's token is revoked: authority and store are down, until the file holds a good one", async () => {
    await bao.ok('POST', 'auth/token/revoke-accessor', { accessor });
    await refusalOf(client.sign());
    await Promise.all([client.healthBecomes('ca', 'NOT_SERVING'), client.healthBecomes('openbao', 'NOT_SERVING')]);
    expect(await parts()).toEqual({ ...ALL_WELL, ca: 'NOT_SERVING', openbao: 'NOT_SERVING' });
    await freshToken();
    await client.reload();
    await Promise.all([client.healthBecomes('ca', 'SERVING'), client.healthBecomes('openbao', 'SERVING')]);
    await client.sign();
  }, 30_000);

  test('OpenBao is sealed: authority and store are down, and nothing else', async () => {
    await bao.call('PUT', 'sys/seal');
    await refusalOf(client.sign());
    await Promise.all([client.healthBecomes('ca', 'NOT_SERVING'), client.healthBecomes('openbao', 'NOT_SERVING')]);
    expect(await parts()).toEqual({ ...ALL_WELL, ca: 'NOT_SERVING', openbao: 'NOT_SERVING' });
  });
});

test('the agent that holds the CA key goes away: ca is down, and up when a new one holds it', async () => {
  const house = houseOf('test');
  const key = join(house.config, 'ca_ed25519');
  const socket = join(house.folder, 'agent.sock');
  const print = (await sshKeygenOk(['-l', '-f', `${key}.pub`])).split(' ')[1] ?? '';
  let agent = await startAgent(socket);
  agent.add('-q', key);
  writeConfig(house, { warden: `version: 1\nposture: test\nca: { key: "agent:${print}" }\n` });
  const daemon = await startDaemon({ house, env: { SSH_AUTH_SOCK: socket } });
  const client = await Client.open(daemon.socket);
  try {
    await client.sign();
    expect(await client.health('ca')).toBe('SERVING');
    await agent.stop();
    expect((await refusalOf(client.sign())).reason).toBe('ca_unavailable');
    await client.healthBecomes('ca', 'NOT_SERVING');
    expect(await client.health('')).toBe('SERVING');
    agent = await startAgent(socket);
    agent.add('-q', key);
    await client.sign();
    await client.healthBecomes('ca', 'SERVING');
  } finally {
    client.close();
    await agent.stop();
    await clear(daemon, house);
  }
}, 40_000);
