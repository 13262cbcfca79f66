import type { Clock } from '../../../src/kernel/clock.ts';

/** A clock whose two hands are set apart from each other. */
export class HandClock implements Clock {
  wall = Date.parse('2026-06-24T09:00:00Z');
  mono = 1_000;

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.mono;
  }

  /** Time passes as it should. */
  pass(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}
