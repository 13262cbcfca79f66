import { expect, test } from 'vitest';
import { ticksIn } from '../../daemon/runner/session.ts';

test('hundredths of a second, as the kernel writes them, are whole ticks', () => {
  for (let ticks = 0; ticks < 200_000; ticks += 7) {
    const seconds = `${Math.floor(ticks / 100)}.${String(ticks % 100).padStart(2, '0')}`;
    expect(ticksIn(Number(seconds))).toBe(ticks);
  }
});
