import { type QuotaKind, quotaKindOf } from '../inventory/quota.ts';
import { WardenError } from '../kernel/errors.ts';

/** One release, as its record tells of it. */
export interface Released {
  readonly kind: string;
  readonly actor?: string | undefined;
}

export interface DayCountsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The releases on record since a time, up to the start of this process. */
  readonly earlier: (since: number) => AsyncIterable<Released>;
}

const DAY_MS = 86_400_000;

/**
 * How often each actor was given something in this UTC day. What this process releases is counted as it happens; what
 * was released before it started is read from the ledger once, when the first quota asks for it. A clock that is put
 * back to an earlier day begins no new count.
 */
export class DayCounts {
  readonly #options: DayCountsOptions;
  readonly #actors = new Map<string, Partial<Record<QuotaKind, number>>>();
  #day = 0;
  #loading: Promise<void> | null = null;

  constructor(options: DayCountsOptions) {
    this.#options = options;
    this.#turn();
  }

  /** Resolves once today is counted whole. @throws WardenError ledger_unavailable where the ledger cannot be read */
  ready(): Promise<void> {
    this.#loading ??= this.#load().catch((cause: unknown) => {
      // Whoever asks next tries again.
      this.#loading = null;
      throw new WardenError('ledger_unavailable', 'what was released today cannot be counted', { cause });
    });
    return this.#loading;
  }

  used(actor: string, kind: QuotaKind): number {
    this.#turn();
    return this.#actors.get(actor)?.[kind] ?? 0;
  }

  /** Counts one, unless `limit` is reached: then false, and nothing is counted. Give it back where it came to nothing. */
  take(actor: string, kind: QuotaKind, limit: number | null): Taken | null {
    const used = this.used(actor, kind);
    if (limit !== null && used >= limit) return null;
    this.#add(actor, kind, 1);
    const day = this.#day;
    return {
      giveBack: () => {
        if (day === this.#day) this.#add(actor, kind, -1);
      },
    };
  }

  /** When counting begins anew, milliseconds since the epoch. */
  resetsAt(): number {
    this.#turn();
    return (this.#day + 1) * DAY_MS;
  }

  /** Everybody who was given anything today. */
  *all(): Generator<readonly [actor: string, counts: Readonly<Partial<Record<QuotaKind, number>>>]> {
    this.#turn();
    yield* this.#actors;
  }

  #turn(): void {
    const day = Math.floor(this.#options.now() / DAY_MS);
    if (day <= this.#day) return;
    this.#day = day;
    this.#actors.clear();
  }

  #add(actor: string, kind: QuotaKind, by: number): void {
    const counts = this.#actors.get(actor) ?? {};
    counts[kind] = (counts[kind] ?? 0) + by;
    this.#actors.set(actor, counts);
  }

  async #load(): Promise<void> {
    const day = this.#day;
    const found: [string, QuotaKind][] = [];
    for await (const { kind, actor } of this.#options.earlier(day * DAY_MS)) {
      const counted = quotaKindOf(kind);
      if (actor !== undefined && counted !== null) found.push([actor, counted]);
    }
    // At once, so that nobody sees a part; and not at all where midnight came meanwhile.
    if (day === this.#day) for (const [actor, kind] of found) this.#add(actor, kind, 1);
  }
}

export interface Taken {
  giveBack(): void;
}
