import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecisionCache } from '../../src/policy/cache.ts';
import type { Decision, PolicyQuestion } from '../../src/policy/decision.ts';
import { canonicalJson, questionKey } from '../../src/policy/question-key.ts';
import { HandClock } from './support/clock.ts';
import { QUESTION } from './support/settings.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const question: fc.Arbitrary<PolicyQuestion> = fc.record({
  subject: fc.record({ id: text, type: text, tenant: text }),
  tenant: text,
  resource: fc.record({ id: text, type: text, system: text, tenant: text }),
  action: fc.constantFrom('sign', 'fetch', 'exec'),
  context: fc.dictionary(text, fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), { maxKeys: 6 }),
});

/** Every place in a JSON value, the value itself left out. */
function paths(value: unknown, at: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...at]];
  const below = Object.entries(value).flatMap(([key, member]) => paths(member, [...at, key]));
  return at.length === 0 ? below : [[...at], ...below];
}

function changed(value: unknown, path: readonly string[], to: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return to;
  if (Array.isArray(value))
    return value.map((member, index) => (String(index) === key ? changed(member, rest, to) : member));
  const entries = Object.entries(value as object);
  return Object.fromEntries(entries.map(([name, member]) => [name, name === key ? changed(member, rest, to) : member]));
}

/** The same JSON with the keys of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reordered(member)]),
  );
}

describe('the key of a question', () => {
  test('is the same for the same content, whatever the order of the keys', () => {
    fc.assert(
      fc.property(question, (asked) => {
        expect(questionKey(reordered(asked) as PolicyQuestion)).toBe(questionKey(asked));
        expect(questionKey(JSON.parse(JSON.stringify(asked)))).toBe(questionKey(asked));
      }),
      { numRuns: 1_000 },
    );
  });

  test('differs where any field differs, at any depth', () => {
    const other = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text, { maxLength: 2 }));
    fc.assert(
      fc.property(question, fc.nat(), other, (asked, pick, to) => {
        const places = paths(asked);
        const place = places[pick % places.length] ?? [];
        const mutant = changed(asked, place, to) as PolicyQuestion;
        // Equal as JSON is the same question after all.
        fc.pre(canonicalDiffers(asked, mutant));
        expect(questionKey(mutant)).not.toBe(questionKey(asked));
      }),
      { numRuns: 3_000 },
    );
  });

  test('differs where anything is added to the context', () => {
    fc.assert(
      fc.property(question, text, fc.jsonValue({ maxDepth: 1 }), (asked, name, value) => {
        fc.pre(!Object.hasOwn(asked.context, name) && name !== '__proto__');
        expect(questionKey({ ...asked, context: { ...asked.context, [name]: value } })).not.toBe(questionKey(asked));
      }),
    );
  });

  test('any two questions have the same key exactly where they are equal', () => {
    fc.assert(
      fc.property(question, question, (one, two) => {
        expect(questionKey(one) === questionKey(two)).toBe(!canonicalDiffers(one, two));
      }),
    );
  });

  test.each([
    ['a list of one and its element', ['a'], 'a'],
    ['a number and its digits', 1.5, '1.5'],
    ['null and its name', null, 'null'],
    ['an empty list and an empty object', [], {}],
    ['the elements in another order', ['a', 'b'], ['b', 'a']],
    ['a comma within and between', ['a,b'], ['a', 'b']],
    ['capitals', 'A', 'a'],
    ['the two ways to write é', '\u00e9', 'e\u0301'],
    ['two lone surrogates', '\ud800', '\ud801'],
    ['hours that differ in the last digit', 0.1 + 0.2, 0.3],
  ])('tells %s apart', (_name, one, two) => {
    const ask = (principals: unknown): PolicyQuestion => ({ ...QUESTION, context: { principals } });
    expect(questionKey(ask(one))).not.toBe(questionKey(ask(two)));
  });

  test.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['undefined in a list', [undefined]],
    ['an object that writes itself', { toJSON: () => 'x' }],
  ])('refuses %s, which JSON would turn into something else', (_name, value) => {
    expect(() => canonicalJson({ value })).toThrow(TypeError);
  });
});

/** An oracle of its own: structural comparison, no text. */
function canonicalDiffers(one: unknown, two: unknown): boolean {
  if (typeof one === 'number' && typeof two === 'number') return one !== two;
  if (typeof one !== 'object' || typeof two !== 'object' || one === null || two === null) return one !== two;
  if (Array.isArray(one) !== Array.isArray(two)) return true;
  const names = new Set([...Object.keys(one), ...Object.keys(two)]);
  return [...names].some((name) => {
    if (!Object.hasOwn(one, name) || !Object.hasOwn(two, name)) return true;
    return canonicalDiffers((one as Record<string, unknown>)[name], (two as Record<string, unknown>)[name]);
  });
}

const ALLOWED: Decision = { effect: 'allow', id: 'd:1', idSource: 'pdp', reason: 'ok', expiresAt: null, cached: false };

describe('how long a decision is kept', () => {
  const setUp = (limit?: number) => {
    const clock = new HandClock();
    const cache = new DecisionCache({ ttlMs: 30_000, clock, ...(limit === undefined ? {} : { limit }) });
    return { clock, cache };
  };

  test('an allow for its time, to the millisecond, marked as cached', () => {
    const { clock, cache } = setUp();
    cache.put('q', ALLOWED, cache.epoch);
    clock.pass(29_999);
    expect(cache.get('q')).toEqual({ ...ALLOWED, cached: true });
    clock.pass(1);
    expect(cache.get('q')).toBeNull();
    expect(cache.size).toBe(0);
  });

  test('being used does not prolong it', () => {
    const { clock, cache } = setUp();
    cache.put('q', ALLOWED, cache.epoch);
    for (let second = 0; second < 29; second += 1) {
      clock.pass(1_000);
      expect(cache.get('q')).not.toBeNull();
    }
    clock.pass(1_000);
    expect(cache.get('q')).toBeNull();
  });

  test('no longer than the decision itself says', () => {
    const { clock, cache } = setUp();
    cache.put('q', { ...ALLOWED, expiresAt: clock.now() + 5_000 }, cache.epoch);
    clock.pass(4_999);
    expect(cache.get('q')).not.toBeNull();
    clock.pass(1);
    expect(cache.get('q')).toBeNull();
  });

  test('no longer than the configured time, however far the decision reaches', () => {
    const { clock, cache } = setUp();
    cache.put('q', { ...ALLOWED, expiresAt: clock.now() + 86_400_000 }, cache.epoch);
    clock.pass(30_000);
    expect(cache.get('q')).toBeNull();
  });

  test.each([
    ['a wall clock put back prolongs nothing', -3_600_000, 30_000],
    ['a wall clock put back does not prolong what the decision says', -3_600_000, 5_000],
    ['a wall clock put forward ends it', 3_600_000, 0],
    ['a suspended machine, whose monotonic clock stood still, ends it', 30_000, 0],
  ])('%s', (_name, wallJump, monotonicPassed) => {
    const { clock, cache } = setUp();
    const expiresAt = monotonicPassed === 5_000 ? clock.now() + 5_000 : null;
    cache.put('q', { ...ALLOWED, expiresAt }, cache.epoch);
    expect(cache.get('q')).not.toBeNull();
    clock.wall += wallJump;
    clock.mono += monotonicPassed;
    expect(cache.get('q')).toBeNull();
  });

  test('a deny is never kept', () => {
    const { cache } = setUp();
    cache.put('q', { ...ALLOWED, effect: 'deny' }, cache.epoch);
    expect([cache.size, cache.get('q')]).toEqual([0, null]);
  });

  test('an allow that has expired already is not kept', () => {
    const { clock, cache } = setUp();
    cache.put('q', { ...ALLOWED, expiresAt: clock.now() }, cache.epoch);
    expect(cache.size).toBe(0);
  });

  test('what was asked for before a clear is not kept after it', () => {
    const { cache } = setUp();
    const { epoch } = cache;
    cache.put('old', ALLOWED, epoch);
    cache.clear();
    cache.put('q', ALLOWED, epoch);
    expect([cache.size, cache.get('old'), cache.get('q')]).toEqual([0, null, null]);
  });

  test('at its limit the least recently used leaves', () => {
    const { cache } = setUp(3);
    for (const key of ['a', 'b', 'c']) cache.put(key, ALLOWED, cache.epoch);
    cache.get('a');
    cache.put('d', ALLOWED, cache.epoch);
    expect(['a', 'b', 'c', 'd'].filter((key) => cache.get(key) !== null)).toEqual(['a', 'c', 'd']);
    expect(cache.size).toBe(3);
  });

  test('over any sequence of clock moves, nothing outlives its time on either clock', () => {
    const step = fc.record({
      wall: fc.integer({ min: -60_000, max: 60_000 }),
      mono: fc.integer({ min: 0, max: 20_000 }),
    });
    const lifetime = fc.option(fc.integer({ min: 1, max: 60_000 }), { nil: null });
    fc.assert(
      fc.property(lifetime, fc.array(step, { maxLength: 10 }), (leftMs, steps) => {
        const { clock, cache } = setUp();
        const [wall, mono] = [clock.wall, clock.mono];
        const most = Math.min(30_000, leftMs ?? 30_000);
        cache.put('q', { ...ALLOWED, expiresAt: leftMs === null ? null : wall + leftMs }, cache.epoch);
        for (const { wall: wallStep, mono: monoStep } of steps) {
          clock.wall += wallStep;
          clock.mono += monoStep;
          if (cache.get('q') !== null) {
            expect(clock.mono - mono).toBeLessThan(most);
            expect(clock.wall - wall).toBeLessThan(most);
          }
        }
      }),
    );
  });
});
