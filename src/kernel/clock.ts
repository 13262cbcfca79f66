/** Time as the project sees it. Adapters get one; decisions get plain numbers. */
export interface Clock {
  /** Wall clock in milliseconds since the Unix epoch. May jump either way. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. For deadlines and durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
