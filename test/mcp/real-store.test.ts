import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { houseWith, INVENTORY } from '../access/support.ts';
import { secretValue } from '../support/canary.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { devServer, type RealServer } from '../support/openbao.ts';
import { type Agent, startAgent } from './support.ts';

const CANARY = secretValue('value-of-the-real-store');
const route = (id: string, path: string): string => `  - id: ${id}
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M1, data_class: internal }
    location: { test: { mount: platform-test, path: ${path}, fields: [token] } }
    exec_capable: true
    inject: [{ field: token, env: TOKEN }]
    actors: [agt-m1]
`;

let bao: RealServer;
let daemon: RunningDaemon;
let agent: Agent;
beforeAll(async () => {
  bao = await devServer();
  await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
  await bao.ok('POST', 'platform-test/data/long', { data: { token: CANARY } });
  await bao.ok('POST', 'platform-test/data/short', { data: { token: 'xyz' } });
  await bao.ok('POST', 'sys/policies/acl/reader', {
    policy: 'path "platform-test/data/*" { capabilities = ["read"] }',
  });
  const answer = await bao.call('POST', 'auth/token/create', {
    body: { policies: ['reader'], no_default_policy: false },
  });
  const house = houseWith({ beyondDev: true });
  const token = join(house.folder, 'daemon.token');
  writeFileSync(token, (answer.body as { auth: { client_token: string } }).auth.client_token, { mode: 0o600 });
  const login = `login: { method: token_file, token_file: ${token} }`;
  const files = {
    'warden.yaml': `version: 1\nposture: test\nopenbao: { address: "${bao.address}", tier: test, ${login} }\n`,
    'inventory.yaml': INVENTORY,
    'routes.yaml': `version: 1\nroutes:\n${route('long', 'long')}${route('short', 'short')}`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(house.config, name), text, { mode: 0o600 });
  daemon = await startDaemon({ house });
  // Of the agent's own there is no token.
  agent = await startAgent(daemon.socket, { args: ['--actor', 'agt-m1'] });
}, 60_000);
afterAll(async () => {
  await agent?.close();
  await daemon?.stop();
  daemon?.house.remove();
  await bao?.stop();
});

const exec = (routes: string[], script: string) =>
  agent.call('exec_with_secrets', { routes, command: ['/bin/sh', '-c', script] });

test('a value of the real store reaches the command, and the agent only its mark', async () => {
  const { data, raw } = await exec(['long'], 'echo "$TOKEN"; echo "$TOKEN" | rev; printf %s "$TOKEN" | wc -c');
  expect(data).toMatchObject({ exit_code: 0, posture: 'test' });
  expect(data.synthetic).toBeUndefined();
  // Reversed it is not looked for: masking stops accidents, and says so.
  expect(data.stdout).toBe(`[masked:long]\n${[...CANARY].reverse().join('')}\n${CANARY.length}\n`);
  expect(raw).not.toContain(CANARY);
});

test('the output of a command with a value too short to be masked is withheld', async () => {
  const { data, raw, isError } = await exec(['short'], 'echo "<$TOKEN>"; echo "$TOKEN" >&2');
  expect(isError).toBe(false);
  expect(data).toMatchObject({
    exit_code: 0,
    withheld: 'a value of short is too short to be masked: the output is not shown',
    stdout_bytes: 6,
    stderr_bytes: 4,
  });
  expect(raw).not.toContain('xyz');
});
