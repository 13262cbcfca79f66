import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type FlexAuthDouble, startFlexAuthDouble } from '../../src/doubles/flex-auth-server.ts';
import { BreakGlassRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { builtPrograms } from '../support/built.ts';
import { warden } from '../support/cli.ts';
import { type House, plainInventory, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { type Answered, DecisionPointServer } from './decision-point.ts';
import { explained, type RawAnswer } from './stranger.ts';
import { Client, houseOf, KEY, NO_LIMITS, recordOf, records, refusalOf, run } from './support.ts';

const ALLOW: Answered = { effect: 'allow', id: 'decision:0123456789abcdef', reason: 'signing_policy_matched' };
/** Nobody listens on the port that the kernel would never give out by itself. */
const NOBODY = 'http://127.0.0.1:1';

let house: House | undefined;
let daemon: RunningDaemon | undefined;
let client: Client | undefined;
let point: DecisionPointServer | undefined;
let double: FlexAuthDouble | undefined;

afterEach(async () => {
  client?.close();
  await daemon?.stop('SIGKILL');
  await point?.close().catch(() => undefined);
  await double?.close();
  house?.remove();
  house = daemon = client = point = double = undefined;
});

const gated = (url: string, more = ''): string =>
  `policy: { enabled: true, flex_auth_url: "${url}", timeout: 5s${more} }\n`;

async function start(
  posture: 'dev' | 'test' | 'prod',
  policy: string,
  inventory = plainInventory(),
): Promise<{ here: House; asks: Client }> {
  const here = houseOf(posture, NO_LIMITS + policy, inventory);
  house = here;
  daemon = await startDaemon({ house: here });
  const asks = await Client.open(here.socket);
  client = asks;
  return { here, asks };
}

/** The flex-auth double over the registry of this house's own inventory, as its operator hands it over. */
async function startDouble(at: House): Promise<FlexAuthDouble> {
  const registryFile = join(at.folder, 'registry.json');
  const built = await warden(['registry', 'build', '--config', at.config, '--out', registryFile]);
  expect(built).toMatchObject({ code: 0, stderr: '' });
  double = await startFlexAuthDouble({ addr: '127.0.0.1:0', registryFile });
  return double;
}

describe('a gate that is turned on by a reload', () => {
  it('keeps the former state while nobody answers there, says so, and asks it once it is up', async () => {
    const { here, asks } = await start('test', '');
    writeConfig(here, { warden: `version: 1\nposture: test\n${NO_LIMITS}${gated(NOBODY)}` });
    const refused = await asks.reload();
    expect(refused).toMatchObject({ changed: false, generation: 1n });
    expect(refused.problems.join()).toContain('policy pre-flight: the decision point cannot be reached');
    expect((await asks.sign()).evidence).toMatchObject({ generation: 1n, policyEffect: 'not_asked' });
    expect([await asks.health('config'), await asks.health('')]).toEqual(['NOT_SERVING', 'SERVING']);
    const [record] = await records(here, { kind: 'reload' });
    expect(record).toMatchObject({ outcome: 'refused', reason: 'preflight_failed', generation: 1 });

    point = await DecisionPointServer.start(() => ALLOW);
    writeConfig(here, { warden: `version: 1\nposture: test\n${NO_LIMITS}${gated(point.url)}` });
    expect(await asks.reload()).toMatchObject({ generation: 2n, problems: [] });
    expect((await asks.sign()).evidence).toMatchObject({
      policyEffect: 'allow',
      policyDecisionId: 'decision:0123456789abcdef',
    });
    expect(await asks.health('config')).toBe('SERVING');
  });

  it('that goes away is not serving in health as soon as a request has met it', async () => {
    point = await DecisionPointServer.start(() => ALLOW);
    const { asks } = await start('test', gated(point.url));
    expect(await asks.health('policy')).toBe('SERVING');
    await point.close();
    expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_unavailable' });
    await asks.healthBecomes('policy', 'NOT_SERVING');
  });

  it('that nobody answers at the start is a daemon that starts, refuses, and says so', async () => {
    const { here, asks } = await start('prod', gated(NOBODY));
    expect([await asks.health('policy'), await asks.health('')]).toEqual(['NOT_SERVING', 'SERVING']);
    const refused = await refusalOf(asks.sign());
    expect(refused).toMatchObject({
      status: 14,
      reason: 'policy_unavailable',
      message: 'the decision point cannot be reached',
    });
    expect(await recordOf(here, refused.details.ledgerSeq)).toMatchObject({
      outcome: 'failed',
      reason: 'policy_unavailable',
      policy_effect: 'fault',
      certificate_issued: false,
    });
  });
});

describe('behind the flex-auth double', () => {
  it('an allow is evidence in the answer, the key id and the ledger, and used again as cached', async () => {
    const { here, asks } = await start('test', '');
    const { address } = await startDouble(here);
    writeConfig(here, { warden: `version: 1\nposture: test\n${NO_LIMITS}${gated(address)}` });
    expect((await asks.reload()).problems).toEqual([]);
    const [first, second] = [await asks.sign(), await asks.sign()];
    const id = first.evidence?.policyDecisionId ?? '';
    expect(id).toMatch(/^(synthetic-)?decision:[0-9a-f]{16}$/);
    expect(first.evidence).toMatchObject({
      policyEffect: 'allow',
      policyReason: 'signing_policy_matched',
      policyCached: false,
    });
    expect(second.evidence).toMatchObject({ policyEffect: 'allow', policyDecisionId: id, policyCached: true });
    for (const { evidence } of [first, second]) {
      expect(evidence?.keyId).toBe(`agt-test/${evidence?.requestId}/${id}`);
      expect(await recordOf(here, evidence?.ledgerSeq)).toMatchObject({
        outcome: 'ok',
        policy_effect: 'allow',
        policy_decision_id: id,
        policy_id_source: 'pdp',
        policy_cached: evidence?.policyCached,
        key_id: evidence?.keyId,
      });
    }
    const { policy } = await asks.status();
    expect(policy).toMatchObject({
      enabled: true,
      double: false,
      breaker: 'closed',
      asked: 1n,
      cacheHits: 1n,
      faults: 0n,
    });
  });

  it('a deny is a deny, with its decision in the error and in the ledger, and is asked again each time', async () => {
    const { here, asks } = await start('test', '');
    const { address } = await startDouble(here);
    writeConfig(here, { warden: `version: 1\nposture: test\n${NO_LIMITS}${gated(address)}` });
    await asks.reload();
    const ids = new Set<string | undefined>();
    for (let n = 0; n < 2; n++) {
      const refused = await refusalOf(asks.sign({ ttlSeconds: 999n * 3600n }));
      expect(refused).toMatchObject({
        status: 7,
        reason: 'ttl_out_of_bounds',
        details: { policyReason: 'ttl_out_of_bounds' },
      });
      ids.add(refused.details.decisionId);
      expect(await recordOf(here, refused.details.ledgerSeq)).toMatchObject({
        outcome: 'refused',
        reason: 'ttl_out_of_bounds',
        policy_effect: 'deny',
        policy_reason: 'ttl_out_of_bounds',
        policy_decision_id: refused.details.decisionId,
        policy_cached: false,
        certificate_issued: false,
      });
    }
    expect(ids.size).toBe(2);
  });

  it('a prod daemon takes no answer of a double', async () => {
    const { here } = await start('prod', '');
    const { address } = await startDouble(here);
    await daemon?.stop();
    client?.close();
    writeConfig(here, { warden: `version: 1\nposture: prod\n${NO_LIMITS}${gated(address)}` });
    daemon = await startDaemon({ house: here });
    client = await Client.open(here.socket);
    const refused = await refusalOf(client.sign());
    expect(refused).toMatchObject({ status: 14, reason: 'policy_unavailable' });
    expect(refused.message).toBe('the decision point could not show that it is the one configured');
    expect(await recordOf(here, refused.details.ledgerSeq)).toMatchObject({
      policy_effect: 'fault',
      certificate_issued: false,
    });
  });
});

it('the dev posture asks a decision point in its own process, over its own inventory', async () => {
  const { here, asks } = await start('dev', gated(NOBODY));
  const { evidence } = await asks.sign();
  expect(evidence?.policyDecisionId).toMatch(/^synthetic-decision:[0-9a-f]{16}$/);
  expect(evidence?.keyId).toBe(`synthetic-agt-test/${evidence?.requestId}/${evidence?.policyDecisionId}`);
  expect(await refusalOf(asks.sign({ ttlSeconds: 999n * 3600n }))).toMatchObject({
    reason: 'ttl_out_of_bounds',
    details: { policyReason: 'ttl_out_of_bounds' },
  });
  expect((await asks.status()).policy).toMatchObject({ enabled: true, double: true });
  // What a reload adds to the inventory is in the registry of the double at once.
  writeConfig(here, {
    warden: `version: 1\nposture: dev\n${NO_LIMITS}${gated(NOBODY)}`,
    inventory: `version: 1\nactors:\n  - { name: agt-late, type: agt, principals: [late], callers: [{ uid: ${process.getuid?.()} }] }\n`,
  });
  await asks.reload();
  expect((await asks.sign({ actor: 'agt-late' })).evidence).toMatchObject({
    policyEffect: 'allow',
    policyCached: false,
  });
});

describe('a fault of the decision point is a fault, never a denial', () => {
  const rows: readonly (readonly [string, Answered, string, string])[] = [
    ['HTTP 500', 500, 'policy_unavailable', 'the decision point failed with HTTP 500'],
    ['HTTP 403', 403, 'policy_unavailable', 'the decision point failed with HTTP 403'],
    [
      'an effect that nobody knows',
      { effect: 'maybe', id: 'decision:1' },
      'policy_answer_invalid',
      "the decision point's answer breaks the contract",
    ],
    [
      'an allow without an id',
      { effect: 'allow', id: '' },
      'policy_answer_invalid',
      "the decision point's answer breaks the contract",
    ],
  ];
  it.each(rows)('%s', async (_name, answered, reason, message) => {
    point = await DecisionPointServer.start(() => answered);
    const { here, asks } = await start('prod', gated(point.url));
    const refused = await refusalOf(asks.sign());
    expect(refused).toMatchObject({ status: 14, reason, message });
    expect(refused.details.decisionId).toBeUndefined();
    const record = await recordOf(here, refused.details.ledgerSeq);
    expect(record).toMatchObject({ outcome: 'failed', reason, policy_effect: 'fault', certificate_issued: false });
    expect(record?.serial).toBeUndefined();
    expect((await asks.status()).policy?.faults).toBeGreaterThan(0n);
  });

  it('goes through where fail_closed is false, marked in answer, ledger and status', async () => {
    point = await DecisionPointServer.start(() => 503);
    const { here, asks } = await start('prod', gated(point.url, ', fail_closed: false'));
    const { evidence } = await asks.sign();
    expect(evidence).toMatchObject({ policyEffect: 'fault', policyDecisionId: '' });
    expect(await recordOf(here, evidence?.ledgerSeq)).toMatchObject({
      outcome: 'ok',
      policy_effect: 'fault',
      break_glass: true,
    });
    expect((await asks.status()).notices.join('\n')).toContain('policy.fail_closed is false');
    point.answer = () => ({ effect: 'deny', id: 'decision:2', reason: 'no' });
    expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_denied' });
    point.answer = () => ({ effect: 'maybe', id: 'decision:3' });
    expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_answer_invalid' });
  });
});

describe('a thousand identical requests at once', () => {
  it('make one call', async () => {
    let release: (answered: Answered) => void = () => {};
    const held = new Promise<Answered>((resolve) => {
      release = resolve;
    });
    point = await DecisionPointServer.start(() => held);
    const { asks } = await start('test', gated(point.url, '').replace('timeout: 5s', 'timeout: 30s'));
    const clients = await Promise.all(Array.from({ length: 10 }, () => Client.open(house?.socket ?? '')));
    const asked = clients.flatMap((one) => Array.from({ length: 100 }, () => one.sign()));
    await point.askedTimes(1);
    // All of them wait for the one answer (the question itself is in the count).
    while ((await asks.status()).requestsInFlight < 1_001);
    release(ALLOW);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ evidence }) => evidence?.serial)).size).toBe(1_000);
    expect(point.asked).toHaveLength(1);
    for (const one of clients) one.close();
  });
});

describe('the break-glass', () => {
  const callers = `, break_glass: { callers: [{ uid: ${process.getuid?.()} }], max: 1h }`;
  const script = fileURLToPath(new URL('./fixtures/call.mjs', import.meta.url));
  const request = {
    reason: 'flex-auth is down, incident 4711',
    ticket: 'INC-4711',
    durationSeconds: 1_800n,
    tty: '/dev/pts/0',
  };

  /** The RPC by a process without a terminal, whatever terminal the tests run in. */
  async function withoutTerminal(socket: string): Promise<RawAnswer> {
    const bytes = Buffer.from(BreakGlassRequest.encode(request).finish()).toString('base64');
    const { stdout } = await run('setsid', [
      '--wait',
      process.execPath,
      script,
      socket,
      '/warden.v1.Warden/BreakGlass',
      bytes,
    ]);
    return JSON.parse(stdout) as RawAnswer;
  }

  /** `warden` as a person at a terminal runs it: `script` makes one. */
  async function atTerminal(args: string, socket: string): Promise<string> {
    const command = `'${process.execPath}' '${builtPrograms().warden}' ${args} --socket ${socket}`;
    const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', NO_COLOR: '1' };
    const { stdout } = await run('script', ['-qec', command, '/dev/null'], { env });
    return stdout;
  }

  it('opens for a person at a terminal, marks each release, and changes nothing of a deny', async () => {
    point = await DecisionPointServer.start(() => 500);
    const { here, asks } = await start('prod', gated(point.url, callers));
    expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_unavailable' });

    const opened = await atTerminal(
      'break-glass --reason "flex-auth is down, incident 4711" --ticket INC-4711 --for 30m',
      here.socket,
    );
    expect(opened).toContain('break-glass is open until');
    const [record] = await records(here, { kind: 'break_glass', outcome: 'ok' });
    expect(record).toMatchObject({
      user_reason: 'flex-auth is down, incident 4711',
      ticket: 'INC-4711',
      ttl_hours: 0.5,
    });

    const { evidence } = await asks.sign();
    expect(evidence).toMatchObject({ policyEffect: 'fault', policyDecisionId: '' });
    expect(evidence?.keyId).toMatch(/\/-$/);
    expect(await recordOf(here, evidence?.ledgerSeq)).toMatchObject({
      outcome: 'ok',
      policy_effect: 'fault',
      break_glass: true,
      certificate_issued: true,
    });
    const status = await asks.status();
    expect(status.policy?.breakGlassReleases).toBe(1n);
    expect(status.policy?.breakGlassUntil?.getTime()).toBeGreaterThan(Date.now());
    expect(status.notices.join('\n')).toContain('break-glass is open until');

    point.answer = () => ({ effect: 'deny', id: 'decision:00000000000000ff', reason: 'frozen' });
    const denied = await refusalOf(asks.sign({ ttlSeconds: 60n }));
    expect(denied).toMatchObject({
      status: 7,
      reason: 'policy_denied',
      details: { decisionId: 'decision:00000000000000ff' },
    });
    point.answer = () => ({ effect: 'maybe', id: 'x' });
    expect(await refusalOf(asks.sign({ ttlSeconds: 120n }))).toMatchObject({ reason: 'policy_answer_invalid' });

    point.answer = () => 500;
    expect(await atTerminal('break-glass --close --reason "it is back"', here.socket)).toContain(
      'the gate is closed again',
    );
    expect(await refusalOf(asks.sign({ ttlSeconds: 180n }))).toMatchObject({ reason: 'policy_unavailable' });
    expect((await asks.status()).policy?.breakGlassUntil).toBeUndefined();
  });

  it('ends with the reload that takes its caller out of the config, and stays shut when the next puts it back', async () => {
    const { here, asks } = await start('prod', gated(NOBODY, callers));
    await atTerminal('break-glass --reason "flex-auth is down" --for 30m', here.socket);
    expect((await asks.sign()).evidence).toMatchObject({ policyEffect: 'fault' });
    const others = gated(NOBODY, `, break_glass: { callers: [{ uid: 4242 }], max: 1h }`);
    for (const policy of [others, gated(NOBODY, callers)]) {
      writeConfig(here, { warden: `version: 1\nposture: prod\n${NO_LIMITS}${policy}`, inventory: plainInventory() });
      expect(await asks.reload()).toMatchObject({ changed: true, problems: [] });
      expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_unavailable' });
      expect((await asks.status()).policy?.breakGlassUntil).toBeUndefined();
    }
    const [ended, back] = await records(here, { kind: 'reload', outcome: 'ok' });
    expect(ended?.changes?.join('\n')).toContain('the open break-glass ended');
    expect(back?.changes?.join('\n')).not.toContain('the open break-glass ended');
  });

  it('stays shut for a program without a terminal', async () => {
    const { here, asks } = await start('prod', gated(NOBODY, callers));
    const told = explained(await withoutTerminal(here.socket));
    expect(told).toMatchObject({
      status: 7,
      reason: 'break_glass_forbidden',
      message: 'breaking the glass needs a person at a terminal',
    });
    expect(await recordOf(here, told.metadata.ledger_seq)).toMatchObject({
      kind: 'break_glass',
      outcome: 'refused',
      reason: 'break_glass_forbidden',
      user_reason: request.reason,
    });
    expect(await refusalOf(asks.sign())).toMatchObject({ reason: 'policy_unavailable' });
  });

  it('stays shut for a caller that the config does not name', async () => {
    const { here, asks } = await start('prod', gated(NOBODY, ', break_glass: { callers: [{ uid: 4242 }], max: 1h }'));
    const told = await refusalOf(asks.call(WardenDefinition.methods.breakGlass, request));
    expect(told).toMatchObject({
      status: 7,
      reason: 'break_glass_forbidden',
      message: 'this caller may not break the glass',
    });
    expect(await recordOf(here, told.details.ledgerSeq)).toMatchObject({ kind: 'break_glass', outcome: 'refused' });
  });

  it('is refused for longer than the config allows', async () => {
    const { here } = await start('prod', gated(NOBODY, callers));
    const output = await atTerminal('break-glass --reason long --for 2h', here.socket).catch(
      (error: { stdout: string; code: number }) => `${error.code} ${error.stdout}`,
    );
    expect(output).toMatch(/^1 /);
    expect(output).toContain('a break-glass lasts at most 1h here');
    expect(await records(here, { kind: 'break_glass', outcome: 'ok' })).toEqual([]);
  });
});

it('nothing that goes to the decision point carries a key', async () => {
  point = await DecisionPointServer.start(() => ALLOW);
  const { asks } = await start('test', gated(point.url, ', cache_ttl: 0s'));
  await asks.sign({ reason: 'release 1.2', ticket: 'T-1' });
  const [asked] = point.asked;
  expect(JSON.stringify(asked)).not.toContain(KEY.split(' ')[1]);
  expect(asked).toMatchObject({
    subject: { id: 'agt-test' },
    resource: { id: 'ssh-cert:actor/agt-test' },
    action: 'sign',
    context: { reason: 'release 1.2', ticket: 'T-1', ttl_hours: 1, principals: ['agt-test', 'agt-other'] },
  });
});
