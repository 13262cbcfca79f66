import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answered, DecisionPointServer } from '../e2e/decision-point.ts';
import { houseOf, NO_LIMITS, records } from '../e2e/support.ts';
import { plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { startWardenAgent, type WardenAgent } from './support/agent-process.ts';
import { type Ran, run } from './support/run.ts';

const ALLOW: Answered = { effect: 'allow', id: 'decision:0123456789abcdef', reason: 'signing_policy_matched' };
const DENY: Answered = { effect: 'deny', id: 'decision:fedcba9876543210', reason: 'unknown_actor_resource' };

let point: DecisionPointServer;
let daemon: RunningDaemon;
let agent: WardenAgent;

beforeAll(async () => {
  point = await DecisionPointServer.start(() => ALLOW);
  const policy = `policy: { enabled: true, flex_auth_url: "${point.url}", timeout: 5s, cache_ttl: 0s }\n`;
  daemon = await startDaemon({ house: houseOf('test', NO_LIMITS + policy, plainInventory()) });
  agent = await startWardenAgent(daemon, { args: ['--actor', 'agt-test', '--reason', 'nightly', '--ticket', 'OPS-7'] });
});
afterAll(async () => {
  await agent?.stop();
  await daemon?.stop();
  daemon?.house.remove();
  await point?.close();
});

const add = (...args: string[]): Promise<Ran> => run('ssh-add', args, { SSH_AUTH_SOCK: agent.socket });

test('each issue asks the gate, with reason and ticket, and the record has its decision', async () => {
  for (let i = 1; i <= 2; i++) {
    const { stdout } = await add('-l');
    expect(stdout).toContain('/decision:0123456789abcdef (ED25519-CERT)');
    expect(point.asked).toHaveLength(i);
    await add('-D');
  }
  expect(point.asked[0]).toMatchObject({
    resource: { id: 'ssh-cert:actor/agt-test' },
    action: 'sign',
    context: { reason: 'nightly', ticket: 'OPS-7' },
  });
  const signs = await records(daemon.house, { kind: 'sign' });
  expect(signs).toHaveLength(2);
  expect(signs[0]).toMatchObject({
    policy_decision_id: 'decision:0123456789abcdef',
    user_reason: 'nightly',
    ticket: 'OPS-7',
  });
});

test('a denial leaves nothing to offer, and the agent says which decision it was', async () => {
  point.answer = () => DENY;
  expect(await add('-l')).toMatchObject({ code: 1, stdout: 'The agent has no identities.\n' });
  expect(await agent.heard('unknown_actor_resource')).toMatch(
    /agt-test: refused: .*decision decision:fedcba9876543210, ledger \d+/,
  );
});

test('with OpenBao as backend the agent gets certificates, where warden issue is refused', async () => {
  const warden = `version: 1
posture: dev
backend: openbao
openbao: { address: "https://192.0.2.1:8200", login: { method: token_file, token_file: nowhere } }
`;
  const bao = await startDaemon({ warden });
  const its = await startWardenAgent(bao, { args: ['--actor', 'agt-test'] });
  try {
    const { stdout } = await run('ssh-add', ['-l'], { SSH_AUTH_SOCK: its.socket });
    expect(stdout).toMatch(/ synthetic-agt-test\/\S+ \(ED25519-CERT\)\n$/);
    expect(await records(bao.house, { kind: 'sign' })).toMatchObject([{ backend: 'openbao', outcome: 'ok' }]);
  } finally {
    await its.stop();
    await bao.stop();
    bao.house.remove();
  }
});
