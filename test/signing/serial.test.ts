import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_SERIAL, SerialSource } from '../../src/signing/serial.ts';
import { failure, NOW } from './support/subjects.ts';

const at = (now: number) => ({ now: () => now });

describe('serials', () => {
  test('follow the wall clock', () => {
    expect(new SerialSource({ clock: at(NOW), lastUsed: 0n }).next()).toBe(BigInt(NOW) * 4096n);
  });

  test('can be held in a double without loss today', () => {
    expect(new SerialSource({ clock: at(NOW), lastUsed: 0n }).next()).toBeLessThan(2n ** 53n);
  });

  test('go on above the last one where the clock jumped back', () => {
    const lastUsed = BigInt(NOW) * 4096n + 7n;
    const source = new SerialSource({ clock: at(NOW - 3_600_000), lastUsed });
    expect([source.next(), source.next()]).toEqual([lastUsed + 1n, lastUsed + 2n]);
    expect(source.last).toBe(lastUsed + 2n);
  });

  test('are new after the state folder was put back from a copy that is older than the last serials', () => {
    const before = new SerialSource({ clock: at(NOW), lastUsed: 0n });
    const kept = before.next();
    const lost = [before.next(), before.next()];
    const after = new SerialSource({ clock: at(NOW + 1), lastUsed: kept });
    expect(lost).not.toContain(after.next());
    expect(after.last).toBeGreaterThan(lost[1] ?? 0n);
  });

  test('end at 63 bits instead of turning negative', async () => {
    const source = new SerialSource({ clock: at(NOW), lastUsed: MAX_SERIAL - 1n });
    expect(source.next()).toBe(MAX_SERIAL);
    expect((await failure(() => source.next())).code).toBe('internal');
    expect((await failure(() => new SerialSource({ clock: at(NOW), lastUsed: MAX_SERIAL + 1n }))).code).toBe(
      'internal',
    );
    expect((await failure(() => new SerialSource({ clock: at(NOW), lastUsed: -1n }))).code).toBe('internal');
  });

  test('rise strictly however the clock jumps, however many a millisecond, over restarts', () => {
    const step = fc.record({
      jump: fc.integer({ min: -1e11, max: 1e9 }),
      calls: fc.integer({ min: 1, max: 20 }),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        let now = NOW;
        const clock = { now: () => now };
        let source = new SerialSource({ clock, lastUsed: 0n });
        let last = 0n;
        for (const { jump, calls, restart } of steps) {
          now = Math.max(0, now + jump);
          if (restart) source = new SerialSource({ clock, lastUsed: last });
          for (let i = 0; i < calls; i++) {
            const serial = source.next();
            expect(serial > last && serial <= MAX_SERIAL).toBe(true);
            last = serial;
          }
        }
      }),
    );
  });

  test('10,000 within one millisecond are all different, and the next millisecond continues above them', () => {
    let now = NOW;
    const source = new SerialSource({ clock: { now: () => now }, lastUsed: 0n });
    const seen = new Set(Array.from({ length: 10_000 }, () => source.next()));
    expect(seen.size).toBe(10_000);
    now += 1;
    expect(seen.has(source.next())).toBe(false);
  });
});
