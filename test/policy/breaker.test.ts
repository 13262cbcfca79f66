import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { Breaker } from '../../src/policy/breaker.ts';
import { PolicyFault } from '../../src/policy/decision-point.ts';
import { HandClock } from './support/clock.ts';

function setUp(random = () => 1 - Number.EPSILON) {
  const clock = new HandClock();
  const breaker = new Breaker({ clock, random, threshold: 3, baseMs: 1_000, maxMs: 8_000 });
  let called = 0;
  const run = (error?: Error): Promise<string> =>
    breaker.run(async () => {
      called += 1;
      if (error !== undefined) throw error;
      return 'answered';
    });
  const fail = (error: Error): Promise<unknown> => run(error).catch((thrown: unknown) => thrown);
  const open = async (): Promise<void> => {
    for (let fault = 0; fault < 3; fault += 1) await fail(new PolicyFault('unreachable', 'gone'));
  };
  return { clock, breaker, run, fail, open, called: () => called };
}

const status = (code: number): PolicyFault => new PolicyFault('http_status', 'failed', { status: code });

describe('closed', () => {
  test.each([
    ['unreachable', new PolicyFault('unreachable', '')],
    ['timeout', new PolicyFault('timeout', '')],
    ['HTTP 500', status(500)],
    ['HTTP 503', status(503)],
    ['HTTP 429', status(429)],
    ['HTTP 408', status(408)],
  ])('three times in a row %s open it, and the fault itself is what callers get', async (_name, fault) => {
    const { breaker, fail } = setUp();
    expect([await fail(fault), await fail(fault)]).toEqual([fault, fault]);
    expect(breaker.status()).toMatchObject({ state: 'closed', faults: 2 });
    await fail(fault);
    expect(breaker.status()).toMatchObject({ state: 'open', faults: 3, openedBy: fault.kind });
  });

  test.each([
    ['an answer that breaks the contract', new PolicyFault('answer', '')],
    ['HTTP 400, which may be about one question', status(400)],
    ['HTTP 403', status(403)],
    ['a full queue of our own', new PolicyFault('overloaded', '')],
    ['a peer that is not trusted', new PolicyFault('untrusted', '')],
    ['a caller that went away', new WardenError('deadline_exceeded', 'gone')],
    ['a fault of our own making', new TypeError('bug')],
  ])('never opens for %s', async (_name, error) => {
    const { breaker, fail } = setUp();
    for (let time = 0; time < 20; time += 1) expect(await fail(error)).toBe(error);
    expect(breaker.status()).toEqual({ state: 'closed', faults: 0, openedBy: null, retryInMs: 0 });
  });

  test('an answer in between starts the count anew', async () => {
    const { breaker, run, fail } = setUp();
    for (let round = 0; round < 5; round += 1) {
      await fail(status(500));
      await fail(status(500));
      await run();
    }
    expect(breaker.status()).toMatchObject({ state: 'closed', faults: 0 });
  });

  test('what says nothing about the decision point does not start the count anew', async () => {
    const { breaker, fail } = setUp();
    await fail(status(500));
    await fail(status(500));
    await fail(new PolicyFault('overloaded', ''));
    await fail(status(500));
    expect(breaker.status().state).toBe('open');
  });
});

describe('open', () => {
  test('fails at once without calling, and says what opened it', async () => {
    const { open, run, called } = setUp();
    await open();
    await expect(run()).rejects.toMatchObject({ kind: 'breaker_open', openedBy: 'unreachable' });
    expect(called()).toBe(3);
  });

  test('lets exactly one call try after the pause', async () => {
    const { breaker, clock, open, run, called } = setUp();
    await open();
    clock.pass(999);
    await expect(run()).rejects.toMatchObject({ kind: 'breaker_open' });
    clock.pass(1);
    expect(breaker.status()).toMatchObject({ state: 'half_open', retryInMs: 0 });
    let answer: (value: string) => void = () => {};
    const probe = breaker.run(() => new Promise<string>((resolve) => (answer = resolve)));
    await expect(run()).rejects.toMatchObject({ kind: 'breaker_open' });
    expect([breaker.status().state, called()]).toEqual(['half_open', 3]);
    answer('back');
    expect(await probe).toBe('back');
    expect(await run()).toBe('answered');
    expect(breaker.status().state).toBe('closed');
  });

  test('pauses twice as long after each failed try, up to the most, and from the start again after an answer', async () => {
    const { breaker, clock, open, run, fail } = setUp();
    await open();
    const pauses: number[] = [];
    for (let time = 0; time < 6; time += 1) {
      const { retryInMs } = breaker.status();
      pauses.push(Math.round(retryInMs));
      clock.pass(retryInMs);
      await fail(new PolicyFault('timeout', ''));
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    expect(breaker.status().openedBy).toBe('timeout');
    clock.pass(8_000);
    await run();
    await open();
    expect(Math.round(breaker.status().retryInMs)).toBe(1_000);
  });

  test('every pause lies between half of it and the whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (random) => {
        const { breaker, open } = setUp(() => random);
        await open();
        expect(breaker.status().retryInMs).toBeGreaterThanOrEqual(500);
        expect(breaker.status().retryInMs).toBeLessThanOrEqual(1_000);
      }),
      { numRuns: 50 },
    );
  });

  test('a try that says nothing, such as a caller that went away, leaves the next one free to try', async () => {
    const { breaker, clock, open, run, fail } = setUp();
    await open();
    clock.pass(1_000);
    await fail(new WardenError('deadline_exceeded', 'gone'));
    expect(breaker.status().state).toBe('half_open');
    expect(await run()).toBe('answered');
    expect(breaker.status().state).toBe('closed');
  });

  test('an answer that is refused is an answer: the decision point is back', async () => {
    const { breaker, clock, open, fail } = setUp();
    await open();
    clock.pass(1_000);
    await fail(new PolicyFault('answer', ''));
    expect(breaker.status().state).toBe('closed');
  });

  test('a health check that passed saves the rest of the pause', async () => {
    const { breaker, open, run } = setUp();
    await open();
    breaker.probeNow();
    expect(await run()).toBe('answered');
    breaker.probeNow();
    expect(breaker.status().state).toBe('closed');
  });

  test('stragglers that began before neither close it nor lengthen the pause', async () => {
    const { breaker, open } = setUp();
    let answer: (value: string) => void = () => {};
    let fail: (error: Error) => void = () => {};
    const late = [
      breaker.run(() => new Promise<string>((resolve) => (answer = resolve))),
      breaker.run(() => new Promise<string>((_resolve, reject) => (fail = reject))).catch(() => 'failed'),
    ];
    await open();
    const before = breaker.status();
    answer('late');
    fail(new PolicyFault('timeout', ''));
    expect(await Promise.all(late)).toEqual(['late', 'failed']);
    expect(breaker.status()).toEqual(before);
  });
});
