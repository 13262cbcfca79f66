import type { Clock } from '../../src/kernel/clock.ts';
import type { Timers } from '../../src/kernel/timers.ts';
import type { Events } from './events.ts';
import type { Issuer } from './issuer.ts';

/** What the ring of keys stands on. */
export interface RingPorts {
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 up to 1: spreads renewals, so that a thousand agents started by one boot do not renew in one second. */
  readonly random: () => number;
  readonly events: Events;
}
