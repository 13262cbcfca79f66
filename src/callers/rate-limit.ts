import type { ReasonCode } from '../kernel/reason.ts';

/** From the snapshot in force; asked anew each time, so that a reload counts at once. */
export interface CallerLimitSettings {
  readonly perCallerRatePerSecond: number;
  readonly perCallerConcurrency: number;
  /** Open connections of all callers together. */
  readonly connections: number;
}

export type Admission =
  | { readonly ok: true; readonly release: () => void }
  | {
      readonly ok: false;
      readonly reason: Extract<ReasonCode, 'rate_limited' | 'concurrency_limited' | 'connection_limited'>;
      /** Whole milliseconds, at least 1. */
      readonly retryAfterMs: number;
    };

/**
 * Rate, concurrency and connections of callers. A caller is its uid here: anything finer (pid, executable,
 * unit) is multiplied at will by whoever wants a second allowance.
 */
export interface CallerLimits {
  /** One request. `release` is to be called once it has been answered. */
  take(uid: number): Admission;
  /** One connection. An eighth of all is out of reach of any single caller, so that none shuts out the others. */
  connect(uid: number): Admission;
}

interface Account {
  /** Monotonic ms at which the allowance is whole again. */
  fullAt: number;
  requests: number;
  connections: number;
}

/** All who arrive while the table is full share one account, which no uid has. */
const OVERFLOW = -1;
const SWEEP_EVERY_MS = 100;
/** No telling when a running request ends: a pause that neither floods nor dawdles. */
const BUSY_RETRY_MS = 100;

export function createCallerLimits(
  settings: () => CallerLimitSettings,
  /** Milliseconds. */
  monotonic: () => number,
  largest = 4_096,
): CallerLimits {
  const accounts = new Map<number, Account>();
  let connections = 0;
  let sweptAt = Number.NEGATIVE_INFINITY;

  function accountOf(uid: number, now: number): Account {
    const known = accounts.get(uid);
    if (known !== undefined) return known;
    if (accounts.size >= largest) sweep(now);
    // The overflow account is in the table or will be: it comes on top of `largest`.
    if (accounts.size >= largest && uid !== OVERFLOW) return accountOf(OVERFLOW, now);
    const fresh = { fullAt: now, requests: 0, connections: 0 };
    accounts.set(uid, fresh);
    return fresh;
  }

  /** Forgetting an idle account with a whole allowance changes nothing for its owner. */
  function sweep(now: number): void {
    if (now - sweptAt < SWEEP_EVERY_MS) return;
    sweptAt = now;
    for (const [uid, account] of accounts) {
      if (account.fullAt <= now && account.requests === 0 && account.connections === 0) accounts.delete(uid);
    }
  }

  return {
    take(uid) {
      const limits = settings();
      const now = monotonic();
      const account = accountOf(uid, now);
      if (account.requests >= limits.perCallerConcurrency) {
        return { ok: false, reason: 'concurrency_limited', retryAfterMs: BUSY_RETRY_MS };
      }
      const wait = spend(account, limits.perCallerRatePerSecond, now);
      if (wait > 0) return { ok: false, reason: 'rate_limited', retryAfterMs: Math.ceil(wait) };
      account.requests++;
      return { ok: true, release: once(() => account.requests--) };
    },
    connect(uid) {
      const limit = settings().connections;
      const account = accountOf(uid, monotonic());
      const share = limit - Math.floor(limit / 8);
      if (connections >= limit || account.connections >= share) {
        return { ok: false, reason: 'connection_limited', retryAfterMs: BUSY_RETRY_MS };
      }
      connections++;
      account.connections++;
      return {
        ok: true,
        release: once(() => {
          connections--;
          account.connections--;
        }),
      };
    },
  };
}

/**
 * A token bucket of one second's worth, kept as the one moment at which it would be full: nothing to refill,
 * and right across a change of the rate. Answers 0 and takes a token, or the milliseconds until there is one.
 */
function spend(account: Account, perSecond: number, now: number): number {
  const cost = 1_000 / perSecond;
  const capacity = Math.max(1_000, cost);
  // A lower rate before may have left more debt than an empty bucket can hold now.
  const fullAt = Math.min(Math.max(account.fullAt, now), now + capacity);
  const wait = fullAt + cost - capacity - now;
  // A thousandth of a millisecond is rounding, not impatience.
  if (wait > 0.001) return wait;
  account.fullAt = fullAt + cost;
  return 0;
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
