import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemTimers } from '../../src/kernel/timers.ts';

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([0, 5, 24 * DAY_MS, 25 * DAY_MS, 90 * DAY_MS])('what is to wait %i ms waits as long, and runs once', (ms) => {
  const run = vi.fn();
  systemTimers.after(ms, run);
  if (ms > 0) vi.advanceTimersByTime(ms - 1);
  expect(run).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(90 * DAY_MS);
  expect(run).toHaveBeenCalledTimes(1);
});

test('a long wait can be taken back in its middle', () => {
  const run = vi.fn();
  const cancel = systemTimers.after(60 * DAY_MS, run);
  vi.advanceTimersByTime(50 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(50 * DAY_MS);
  expect(run).not.toHaveBeenCalled();
});
