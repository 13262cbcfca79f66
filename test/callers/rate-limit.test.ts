import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CallerLimitSettings, createCallerLimits } from '../../src/callers/rate-limit.ts';

const SETTINGS: CallerLimitSettings = { perCallerRatePerSecond: 50, perCallerConcurrency: 32, connections: 16 };

function setUp(settings: Partial<CallerLimitSettings> = {}, largest?: number) {
  const state = { now: 1_000_000, settings: { ...SETTINGS, ...settings } };
  const limits = createCallerLimits(
    () => state.settings,
    () => state.now,
    largest,
  );
  /** One request, answered at once. */
  const ask = (uid = 1) => {
    const admission = limits.take(uid);
    if (admission.ok) admission.release();
    return admission;
  };
  return { state, limits, ask, asked: (n: number, uid = 1) => Array.from({ length: n }, () => ask(uid).ok) };
}

const refused = (reason: string, retryAfterMs: number) => ({ ok: false, reason, retryAfterMs });

describe('the rate of one caller', () => {
  it('admits a second’s worth at once and then says when to come back', () => {
    const { ask, asked } = setUp();
    expect(asked(50)).not.toContain(false);
    expect(ask()).toEqual(refused('rate_limited', 20));
  });

  it('admits again after exactly the delay that was named, not a millisecond sooner', () => {
    const { state, ask, asked } = setUp();
    asked(50);
    state.now += 19;
    expect(ask()).toEqual(refused('rate_limited', 1));
    state.now += 1;
    expect(ask().ok).toBe(true);
    expect(ask().ok).toBe(false);
  });

  it('costs nothing to ask while refused', () => {
    const { state, ask, asked } = setUp();
    asked(5_000);
    state.now += 20;
    expect(ask().ok).toBe(true);
  });

  it('is each uid’s own', () => {
    const { ask, asked } = setUp();
    asked(51, 1);
    expect(ask(2).ok).toBe(true);
  });

  it('follows a reload down and up', () => {
    const { state, ask, asked } = setUp();
    asked(50);
    state.settings = { ...SETTINGS, perCallerRatePerSecond: 1 };
    expect(ask()).toEqual(refused('rate_limited', 1_000));
    state.settings = { ...SETTINGS, perCallerRatePerSecond: 1_000 };
    expect(ask()).toEqual(refused('rate_limited', 1));
  });

  it('admits one at once where the rate is below one a second', () => {
    const { ask } = setUp({ perCallerRatePerSecond: 0.5 });
    expect(ask().ok).toBe(true);
    expect(ask()).toEqual(refused('rate_limited', 2_000));
  });

  it('over any history lets through no more than the rate and one burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 60 })), { maxLength: 40 }),
        (rate, steps) => {
          const { state, asked } = setUp({ perCallerRatePerSecond: rate });
          let admitted = 0;
          let elapsed = 0;
          for (const [pause, burst] of steps) {
            state.now += pause;
            elapsed += pause;
            admitted += asked(burst).filter(Boolean).length;
          }
          expect(admitted).toBeLessThanOrEqual(rate + (elapsed * rate) / 1_000 + 0.01);
        },
      ),
    );
  });
});

describe('the concurrency of one caller', () => {
  it('is bounded, and a request that ends makes room for one', () => {
    const { limits } = setUp({ perCallerConcurrency: 2 });
    const first = limits.take(1);
    limits.take(1);
    expect(limits.take(1)).toEqual(refused('concurrency_limited', 100));
    if (first.ok) first.release();
    expect(limits.take(1).ok).toBe(true);
    expect(limits.take(1).ok).toBe(false);
  });

  it('is given back once, however often it is given back', () => {
    const { limits } = setUp({ perCallerConcurrency: 1 });
    const first = limits.take(1);
    if (first.ok) {
      first.release();
      first.release();
    }
    expect(limits.take(1).ok).toBe(true);
    expect(limits.take(1).ok).toBe(false);
  });
});

describe('connections', () => {
  it('are bounded for all together, and an eighth is out of reach of any one caller', () => {
    const { limits } = setUp();
    const mine = Array.from({ length: 16 }, () => limits.connect(1));
    expect(mine.filter(({ ok }) => ok)).toHaveLength(14);
    expect(mine[15]).toEqual(refused('connection_limited', 100));
    expect(limits.connect(2).ok).toBe(true);
    expect(limits.connect(3).ok).toBe(true);
    expect(limits.connect(4)).toEqual(refused('connection_limited', 100));
    if (mine[0]?.ok) mine[0].release();
    expect(limits.connect(4).ok).toBe(true);
  });
});

describe('many callers', () => {
  it('share one allowance beyond the bound of the table, and leave it once others are idle', () => {
    const { state, ask, asked } = setUp({}, 3);
    for (const uid of [1, 2, 3]) asked(50, uid);
    asked(50, 4);
    expect(ask(5)).toEqual(refused('rate_limited', 20));
    state.now += 1_000;
    expect(asked(50, 5)).not.toContain(false);
  });

  it('who hold something open are not forgotten', () => {
    const { state, limits, ask } = setUp({ perCallerConcurrency: 1 }, 1);
    limits.take(1);
    state.now += 60_000;
    ask(2);
    expect(limits.take(1)).toEqual(refused('concurrency_limited', 100));
  });
});
