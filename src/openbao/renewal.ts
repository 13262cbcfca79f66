/** When a token is renewed or got anew, as pure arithmetic. All times in milliseconds; `random` is in [0, 1). */

const BASE_MS = 500;
const CAP_MS = 30_000;
/** Below this a token is not worth a timer: it lapses, and the next login says what is to be said. */
const LEAST_MS = 1_000;
/** A timer of Node's overflows after 24.8 days; a look once a day hurts nobody. */
const MOST_MS = 86_400_000;

/** How long a token of this TTL is left alone: 60 to 80 % of it, so that many daemons do not come at once. */
export function refreshDelay(ttlMs: number, random: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, ttlMs * (0.6 + 0.2 * random)));
}

/** The pause before the next attempt after so many failures in a row, from 1. */
export function backoff(failures: number, random: number): number {
  return Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures - 1, 10)) * (0.5 + 0.5 * random);
}

/** A renewal that gives less than half of what the login gave has met `token_max_ttl`: log in anew next time. */
export function worthRenewing(grantedMs: number, atLoginMs: number): boolean {
  return grantedMs * 2 >= atLoginMs;
}
