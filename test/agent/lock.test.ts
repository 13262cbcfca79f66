import { beforeEach, expect, test } from 'vitest';
import { Lock } from '../../client/agent/lock.ts';
import type { Timers } from '../../src/kernel/timers.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
let waits: number[];
let lock: Lock;

beforeEach(() => {
  waits = [];
  const timers: Timers = {
    after: (ms, run) => {
      waits.push(ms);
      setImmediate(run);
      return () => {};
    },
  };
  lock = new Lock(timers);
});

test('only the same passphrase unlocks', async () => {
  expect(await lock.lock(bytes('right'))).toBe(true);
  expect(lock.locked).toBe(true);
  expect(await lock.unlock(bytes('wrong'))).toBe(false);
  expect(await lock.unlock(bytes('right '))).toBe(false);
  expect(lock.locked).toBe(true);
  expect(await lock.unlock(bytes('right'))).toBe(true);
  expect(lock.locked).toBe(false);
});

test('a locked agent is not locked again, an open one not unlocked', async () => {
  expect(await lock.unlock(bytes('x'))).toBe(false);
  await lock.lock(bytes('first'));
  expect(await lock.lock(bytes('second'))).toBe(false);
  expect(await lock.unlock(bytes('second'))).toBe(false);
  expect(await lock.unlock(bytes('first'))).toBe(true);
});

test('an empty passphrase locks too', async () => {
  await lock.lock(bytes(''));
  expect(await lock.unlock(bytes('a'))).toBe(false);
  expect(await lock.unlock(bytes(''))).toBe(true);
});

test('each wrong passphrase takes longer, up to ten seconds; a right one ends that', async () => {
  await lock.lock(bytes('right'));
  for (let i = 0; i < 102; i++) await lock.unlock(bytes('wrong'));
  expect(waits.slice(0, 3)).toEqual([100, 200, 300]);
  expect(waits.slice(-3)).toEqual([10_000, 10_000, 10_000]);
  await lock.unlock(bytes('right'));
  await lock.lock(bytes('right'));
  await lock.unlock(bytes('wrong'));
  expect(waits.at(-1)).toBe(100);
});

test('attempts that come together wait for one another', async () => {
  await lock.lock(bytes('right'));
  const answers = await Promise.all(['a', 'b', 'right', 'c'].map((text) => lock.unlock(bytes(text))));
  expect(answers).toEqual([false, false, true, false]);
  expect(waits).toEqual([100, 200]);
});

test('the passphrase is wiped, right or wrong', async () => {
  const [locking, wrong, right] = [bytes('right'), bytes('wrong'), bytes('right')];
  await lock.lock(locking);
  await lock.unlock(wrong);
  await lock.unlock(right);
  for (const used of [locking, wrong, right]) expect(used.every((byte) => byte === 0)).toBe(true);
});
