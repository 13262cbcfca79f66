import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/rpc/turns.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets `count` requests in at once; `begun` grows as they begin. */
function arrive(turns: Turns, count: number, begun: number[]): Promise<void>[] {
  return Array.from({ length: count }, async (_, n) => {
    const turn = turns.next();
    if (turn !== null) await turn;
    begun.push(n);
  });
}

describe('turns of the event loop', () => {
  it('let the first of a turn begin at once', () => {
    const turns = new Turns(3);
    expect([turns.next(), turns.next(), turns.next()]).toEqual([null, null, null]);
    expect(turns.next()).toBeInstanceOf(Promise);
  });

  it('let the rest begin in the turns after it, in order, so many in each', async () => {
    const turns = new Turns(3);
    const begun: number[] = [];
    const all = arrive(turns, 8, begun);
    const seen = [begun.length];
    while (begun.length < 8) {
      await nextTurn();
      seen.push(begun.length);
    }
    await Promise.all(all);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const [turn, count] of seen.entries()) expect(count).toBeLessThanOrEqual(3 * (turn + 1));
  });

  it('let one that comes later not overtake those that wait', async () => {
    const turns = new Turns(1);
    const begun: number[] = [];
    const early = arrive(turns, 3, begun);
    await nextTurn();
    const late = arrive(turns, 1, []).map(async (begins) => {
      await begins;
      begun.push(99);
    });
    await Promise.all([...early, ...late]);
    expect(begun).toEqual([0, 1, 2, 99]);
  });

  it('are fresh once nobody waits', async () => {
    const turns = new Turns(1);
    await Promise.all(arrive(turns, 4, []));
    await nextTurn();
    await nextTurn();
    expect(turns.next()).toBeNull();
  });
});
