import { afterEach, describe, expect, test } from 'vitest';
import type { Decision } from '../../src/policy/decision.ts';
import { type AskContext, type DecisionPoint, PolicyFault } from '../../src/policy/decision-point.ts';
import { createGate, type Gate } from '../../src/policy/gate.ts';
import { HandClock } from './support/clock.ts';
import { http, type RawServer, rawServer } from './support/raw-server.ts';
import { ALLOW, policySettings, QUESTION } from './support/settings.ts';

const ask = { requestId: 'r-1' };
const ALLOWED: Decision = { effect: 'allow', id: 'd:1', idSource: 'pdp', reason: 'ok', expiresAt: null, cached: false };

/** A decision point in this process that answers when it is told to. */
class HeldPoint implements DecisionPoint {
  readonly double = false;
  readonly calls: { readonly context: AskContext; answer(decision: Decision): void; fail(error: Error): void }[] = [];

  decide(_question: unknown, context: AskContext): Promise<Decision> {
    return new Promise((resolve, reject) => this.calls.push({ context, answer: resolve, fail: reject }));
  }

  async ready(): Promise<void> {}
  async close(): Promise<void> {}
}

function held(cacheTtlMs = 30_000) {
  const point = new HeldPoint();
  const clock = new HandClock();
  const settings = policySettings('http://127.0.0.1:1', { cacheTtlMs });
  return { point, clock, gate: createGate(settings, { acceptDoubles: false, clock, point, random: () => 0 }) };
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function served(bytes: () => string, cacheTtlMs: number): Promise<{ server: RawServer; gate: Gate }> {
  const server = await rawServer((socket) => socket.write(bytes()));
  const gate = createGate(policySettings(`http://127.0.0.1:${server.port}`, { cacheTtlMs }), { acceptDoubles: false });
  cleanups.push(server.close, gate.close);
  return { server, gate };
}

const allowBytes = (): string => http(200, JSON.stringify(ALLOW));

describe('sharing', () => {
  test('1,000 identical requests at once make one call', async () => {
    const { server, gate } = await served(allowBytes, 30_000);
    const calls = Array.from({ length: 1_000 }, (_, index) => gate.decide(QUESTION, { requestId: `r-${index}` }));
    const decisions = await Promise.all(calls);
    expect(server.requests).toHaveLength(1);
    expect(new Set(decisions.map(({ effect, id, cached }) => `${effect} ${id} ${cached}`))).toEqual(
      new Set([`allow ${ALLOW.id} false`]),
    );
    expect(gate.status()).toMatchObject({ asked: 1, shared: 999, cacheHits: 0, cacheEntries: 1 });
    await expect(gate.decide(QUESTION, ask)).resolves.toMatchObject({ cached: true });
    expect(server.requests).toHaveLength(1);
  });

  test('1,000 requests that differ in one principal make 1,000 calls, within the bounds', async () => {
    const server = await rawServer((socket) => socket.write(allowBytes()));
    const limits = { concurrency: 8, queue: 1_000, answerBytes: 1024 };
    const settings = policySettings(`http://127.0.0.1:${server.port}`, { cacheTtlMs: 30_000, timeoutMs: 50_000 });
    const gate = createGate(settings, { acceptDoubles: false, limits });
    cleanups.push(server.close, gate.close);
    const calls = Array.from({ length: 1_000 }, (_, index) =>
      gate.decide({ ...QUESTION, context: { ...QUESTION.context, principals: [`p-${index}`] } }, ask),
    );
    await Promise.all(calls);
    const asked = server.requests.map((seen) => JSON.parse(seen.body).context.principals[0]);
    expect(new Set(asked).size).toBe(1_000);
    expect(server.connections()).toBe(8);
  });

  test('with cache_ttl 0s every request is asked for, the identical ones at once too', async () => {
    const { server, gate } = await served(allowBytes, 0);
    await Promise.all([1, 2, 3].map(() => gate.decide(QUESTION, ask)));
    await gate.decide(QUESTION, ask);
    expect(server.requests).toHaveLength(4);
    expect(gate.status()).toMatchObject({ asked: 4, shared: 0, cacheEntries: 0 });
    expect(gate.peek(QUESTION)).toBeNull();
  });

  test('a deny is asked for again each time', async () => {
    const { server, gate } = await served(() => http(200, '{"effect":"deny","id":"d:2","reason":"no"}'), 30_000);
    for (let time = 0; time < 3; time += 1) {
      await expect(gate.decide(QUESTION, ask)).resolves.toMatchObject({ effect: 'deny', cached: false });
    }
    expect(server.requests).toHaveLength(3);
  });

  test('a fault is shared by all who wait, and kept for nobody', async () => {
    const { point, gate } = held();
    const calls = [1, 2, 3].map(() => gate.decide(QUESTION, ask).catch((error: PolicyFault) => error.kind));
    point.calls[0]?.fail(new PolicyFault('timeout', 'late'));
    expect(await Promise.all(calls)).toEqual(['timeout', 'timeout', 'timeout']);
    const again = gate.decide(QUESTION, ask);
    point.calls[1]?.answer(ALLOWED);
    await expect(again).resolves.toMatchObject({ effect: 'allow' });
  });

  test('a waiter that goes away leaves the others their answer', async () => {
    const { point, gate } = held();
    const first = new AbortController();
    const leaving = gate.decide(QUESTION, { ...ask, signal: first.signal });
    const staying = gate.decide(QUESTION, ask);
    first.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(point.calls[0]?.context.signal?.aborted).toBe(false);
    point.calls[0]?.answer(ALLOWED);
    await expect(staying).resolves.toMatchObject({ effect: 'allow' });
    expect(point.calls).toHaveLength(1);
  });

  test('when the last waiter goes away the call is ended, and nobody joins it any more', async () => {
    const { point, gate } = held();
    const gone = [new AbortController(), new AbortController()];
    const calls = gone.map(({ signal }) => gate.decide(QUESTION, { ...ask, signal }));
    for (const controller of gone) controller.abort();
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(point.calls[0]?.context.signal?.aborted).toBe(true);
    const fresh = gate.decide(QUESTION, ask);
    expect(point.calls).toHaveLength(2);
    point.calls[1]?.answer(ALLOWED);
    await expect(fresh).resolves.toMatchObject({ effect: 'allow' });
  });
});

describe('a new snapshot', () => {
  test('empties the cache', async () => {
    const { server, gate } = await served(allowBytes, 30_000);
    await gate.decide(QUESTION, ask);
    expect(gate.peek(QUESTION)).toMatchObject({ id: ALLOW.id, cached: true });
    gate.clear();
    expect(gate.peek(QUESTION)).toBeNull();
    await expect(gate.decide(QUESTION, ask)).resolves.toMatchObject({ cached: false });
    expect(server.requests).toHaveLength(2);
  });

  test('a call that began before it answers those who waited, and neither fills the cache nor takes new waiters', async () => {
    const { point, gate } = held();
    const before = gate.decide(QUESTION, ask);
    gate.clear();
    const after = gate.decide(QUESTION, ask);
    expect(point.calls).toHaveLength(2);
    point.calls[0]?.answer({ ...ALLOWED, id: 'd:old' });
    await expect(before).resolves.toMatchObject({ id: 'd:old' });
    expect(gate.peek(QUESTION)).toBeNull();
    point.calls[1]?.answer({ ...ALLOWED, id: 'd:new' });
    await expect(after).resolves.toMatchObject({ id: 'd:new' });
    expect(gate.peek(QUESTION)).toMatchObject({ id: 'd:new' });
  });
});

describe('the state that status shows', () => {
  test('an outage opens the breaker, which answers in its place and lets one call try', async () => {
    const { point, clock, gate } = held();
    for (let fault = 0; fault < 5; fault += 1) {
      const call = gate.decide(QUESTION, ask).catch((error: unknown) => error);
      point.calls[fault]?.fail(new PolicyFault('unreachable', 'gone'));
      await call;
    }
    expect(gate.status().breaker).toMatchObject({ state: 'open', faults: 5, openedBy: 'unreachable' });
    await expect(gate.decide(QUESTION, ask)).rejects.toMatchObject({ kind: 'breaker_open', openedBy: 'unreachable' });
    expect(gate.status()).toMatchObject({ asked: 5, faults: 6, lastFault: { kind: 'breaker_open', at: clock.now() } });

    await gate.ready();
    expect(gate.status().breaker.state).toBe('half_open');
    const probe = gate.decide(QUESTION, ask);
    point.calls[5]?.answer(ALLOWED);
    await probe;
    expect(gate.status().breaker).toEqual({ state: 'closed', faults: 0, openedBy: null, retryInMs: 0 });
  });

  test('a cached decision is served while the decision point is down, until its time is over', async () => {
    const { point, clock, gate } = held();
    const first = gate.decide(QUESTION, ask);
    point.calls[0]?.answer(ALLOWED);
    await first;
    clock.pass(29_999);
    await expect(gate.decide(QUESTION, ask)).resolves.toMatchObject({ cached: true });
    clock.pass(1);
    const after = gate.decide(QUESTION, ask);
    point.calls[1]?.fail(new PolicyFault('unreachable', 'gone'));
    await expect(after).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('a double behind the gate is told', () => {
    const point = Object.assign(new HeldPoint(), { double: true });
    const gate = createGate(policySettings('http://127.0.0.1:1'), { acceptDoubles: true, point });
    expect([gate.double, gate.status().double]).toEqual([true, true]);
  });
});
