import type { Clock } from '../kernel/clock.ts';
import type { Decision } from './decision.ts';

interface Entry {
  readonly decision: Decision;
  readonly storedAt: number;
  readonly storedAtMonotonic: number;
  /** The least of the configured lifetime and what the decision itself allows, in milliseconds. */
  readonly lifetimeMs: number;
}

/**
 * Allow decisions by whole question, the least recently used leaving first. Age is measured on both clocks and
 * the older reading counts: a wall clock put back cannot prolong a decision, and neither can a suspended
 * machine, during which the monotonic clock stands still.
 */
export class DecisionCache {
  readonly #ttlMs: number;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #epoch = 0;

  constructor(options: { readonly ttlMs: number; readonly clock: Clock; readonly limit?: number }) {
    this.#ttlMs = options.ttlMs;
    this.#limit = options.limit ?? 10_000;
    this.#clock = options.clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Changes at `clear()`. A call notes it when it begins, and hands it to `put`. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Null where there is none that still holds. */
  get(key: string): Decision | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    this.#entries.delete(key);
    if (!this.#holds(entry)) return null;
    this.#entries.set(key, entry);
    return { ...entry.decision, cached: true };
  }

  /** Keeps an allow. A deny is never kept, nor a decision that was asked for before the last `clear()`. */
  put(key: string, decision: Decision, epoch: number): void {
    if (decision.effect !== 'allow' || epoch !== this.#epoch) return;
    const storedAt = this.#clock.now();
    const left = decision.expiresAt === null ? this.#ttlMs : decision.expiresAt - storedAt;
    const lifetimeMs = Math.min(this.#ttlMs, left);
    if (!(lifetimeMs > 0)) return;
    this.#entries.delete(key);
    this.#entries.set(key, { decision, storedAt, storedAtMonotonic: this.#clock.monotonic(), lifetimeMs });
    if (this.#entries.size <= this.#limit) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  clear(): void {
    this.#epoch += 1;
    this.#entries.clear();
  }

  #holds({ decision, storedAt, storedAtMonotonic, lifetimeMs }: Entry): boolean {
    const now = this.#clock.now();
    if (this.#clock.monotonic() - storedAtMonotonic >= lifetimeMs || now - storedAt >= lifetimeMs) return false;
    return decision.expiresAt === null || now < decision.expiresAt;
  }
}
