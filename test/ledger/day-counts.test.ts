import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseQuota, quotaKindOf } from '../../src/inventory/quota.ts';
import { DayCounts, type Released } from '../../src/ledger/day-counts.ts';

const NOON = Date.UTC(2026, 10, 25, 12);
const MIDNIGHT = Date.UTC(2026, 10, 26);

function counts(earlier: readonly Released[] = []) {
  const clock = { now: NOON };
  const asked: number[] = [];
  const book = new DayCounts({
    now: () => clock.now,
    earlier: async function* (since) {
      asked.push(since);
      yield* earlier;
    },
  });
  return { book, clock, asked };
}

describe('what an actor was given in a day', () => {
  test('is counted up to the limit and not beyond', () => {
    const { book } = counts();
    expect(book.take('agt-a', 'sign', 2)).not.toBeNull();
    expect(book.take('agt-a', 'sign', 2)).not.toBeNull();
    expect(book.take('agt-a', 'sign', 2)).toBeNull();
    expect(book.used('agt-a', 'sign')).toBe(2);
    expect(book.take('agt-a', 'fetch', 2)).not.toBeNull();
    expect(book.take('agt-b', 'sign', 2)).not.toBeNull();
    expect(book.take('agt-c', 'sign', 0)).toBeNull();
  });

  test('is given back where it came to nothing', () => {
    const { book } = counts();
    const taken = book.take('agt-a', 'sign', 1);
    expect(book.take('agt-a', 'sign', 1)).toBeNull();
    taken?.giveBack();
    expect(book.take('agt-a', 'sign', 1)).not.toBeNull();
  });

  test('begins anew at midnight UTC, and nothing of yesterday is given back today', () => {
    const { book, clock } = counts();
    const taken = book.take('agt-a', 'sign', 1);
    expect(book.resetsAt()).toBe(MIDNIGHT);
    clock.now = MIDNIGHT - 1;
    expect(book.used('agt-a', 'sign')).toBe(1);
    clock.now = MIDNIGHT;
    expect(book.used('agt-a', 'sign')).toBe(0);
    taken?.giveBack();
    expect(book.used('agt-a', 'sign')).toBe(0);
    expect(book.resetsAt()).toBe(MIDNIGHT + 86_400_000);
  });

  test('does not begin anew where the clock is put back', () => {
    const { book, clock } = counts();
    book.take('agt-a', 'sign', null);
    clock.now = NOON - 3 * 86_400_000;
    expect(book.used('agt-a', 'sign')).toBe(1);
    clock.now = NOON;
    expect(book.used('agt-a', 'sign')).toBe(1);
  });

  test('includes what is on record from before the start, read once', async () => {
    const { book, asked } = counts([
      { kind: 'sign', actor: 'agt-a' },
      { kind: 'issue', actor: 'agt-a' },
      { kind: 'fetch', actor: 'agt-a' },
      { kind: 'exec_start', actor: 'agt-b' },
      { kind: 'exec_end', actor: 'agt-b' },
      { kind: 'host', actor: 'agt-a' },
      { kind: 'reload' },
    ]);
    book.take('agt-a', 'sign', null);
    await Promise.all([book.ready(), book.ready()]);
    await book.ready();
    expect(asked).toEqual([Date.UTC(2026, 10, 25)]);
    expect([book.used('agt-a', 'sign'), book.used('agt-a', 'fetch'), book.used('agt-b', 'exec')]).toEqual([3, 1, 1]);
  });

  test('is not guessed where the ledger cannot be read, and is asked for again', async () => {
    let broken = true;
    const book = new DayCounts({
      now: () => NOON,
      earlier: async function* () {
        if (broken) throw new Error('EIO');
        yield { kind: 'sign', actor: 'agt-a' };
      },
    });
    await expect(book.ready()).rejects.toMatchObject({ code: 'ledger_unavailable' });
    broken = false;
    await book.ready();
    expect(book.used('agt-a', 'sign')).toBe(1);
  });

  test('never exceeds the limit, whatever the order of things', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5 }),
        fc.array(fc.constantFrom('take', 'back', 'day', 'past'), { maxLength: 60 }),
        (limit, steps) => {
          const { book, clock } = counts();
          let today = 0;
          let held: { giveBack(): void }[] = [];
          for (const step of steps) {
            if (step === 'take') {
              const taken = book.take('a', 'sign', limit);
              expect(taken === null).toBe(today >= limit);
              if (taken !== null) {
                held.push(taken);
                today += 1;
              }
            } else if (step === 'back') {
              const last = held.pop();
              last?.giveBack();
              if (last !== undefined) today -= 1;
            } else if (step === 'past') clock.now -= 86_400_000;
            else {
              const before = book.resetsAt();
              clock.now = before;
              today = 0;
              held = [];
            }
            expect(book.used('a', 'sign')).toBe(today);
          }
        },
      ),
    );
  });
});

test.each([
  ['200/d', 200],
  ['0/d', 0],
  ['', null],
  ['200', null],
  ['200/h', null],
  ['-1/d', null],
  ['1.5/d', null],
  ['9999999999/d', null],
])('a quota of %j is %s', (text, expected) => {
  expect(parseQuota(text)).toBe(expected);
});

test.each([
  ['sign', 'sign'],
  ['issue', 'sign'],
  ['fetch', 'fetch'],
  ['exec_start', 'exec'],
  ['exec_end', null],
  ['host', null],
  ['constructor', null],
])('a record of kind %s counts as %s', (kind, expected) => {
  expect(quotaKindOf(kind)).toBe(expected);
});
