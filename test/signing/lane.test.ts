import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lane } from '../../src/signing/lane.ts';

describe('a lane', () => {
  test('is full where every place is taken and as many wait as may', async () => {
    const lane = new Lane(1, 1);
    let finish: () => void = () => undefined;
    const first = lane.run(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    expect(lane.full).toBe(false);
    const second = lane.run(async () => 'second');
    expect(lane.full).toBe(true);
    finish();
    await first;
    expect(await second).toBe('second');
    expect(lane.full).toBe(false);
  });

  test('never does more at once than it is wide, forgets none, keeps the order, and survives failures', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 30 }),
        async (width, works) => {
          const lane = new Lane(width, 100);
          const started: number[] = [];
          let active = 0;
          let most = 0;
          const results = await Promise.allSettled(
            works.map((fails, i) =>
              lane.run(async () => {
                started.push(i);
                active += 1;
                most = Math.max(most, active);
                await new Promise((resolve) => setImmediate(resolve));
                active -= 1;
                if (fails) throw new Error('failed');
              }),
            ),
          );
          expect(most).toBe(Math.min(width, works.length));
          expect(started).toEqual(works.map((_, i) => i));
          expect(results.map((result) => result.status === 'rejected')).toEqual(works);
          expect(lane.full).toBe(false);
        },
      ),
    );
  });
});
