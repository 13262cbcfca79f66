export interface BurstSettings {
  readonly count: number;
  readonly windowMs: number;
  /** After an alert, how long there is none. */
  readonly quietMs: number;
}

export interface Refusal {
  /** A reason code. */
  readonly reason: string;
  readonly method: string;
  /** Null where the caller is gone. */
  readonly uid: number | null;
}

export interface Burst {
  /** Refusals within the window: as many as make an alert. */
  readonly count: number;
  readonly windowMs: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly methods: Readonly<Record<string, number>>;
  /** The most frequent, twenty at most. */
  readonly uids: Readonly<Record<string, number>>;
  /** Refusals since the alert before this one, or since the start. */
  readonly sinceLastAlert: number;
}

const MAX_UIDS = 20;

/** Notices that refusals come thick and fast. Holds the last `count` of them, and nothing else. */
export class BurstWatch {
  readonly #settings: BurstSettings;
  readonly #last: (Refusal & { at: number })[] = [];
  #next = 0;
  #sinceLast = 0;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(settings: BurstSettings) {
    this.#settings = settings;
  }

  /** `at` in monotonic milliseconds. Not null where this one makes a burst that is worth an alert. */
  add(refusal: Refusal, at: number): Burst | null {
    const { count, windowMs, quietMs } = this.#settings;
    this.#last[this.#next] = { ...refusal, at };
    this.#next = (this.#next + 1) % count;
    this.#sinceLast += 1;
    // The place that is written next holds the oldest, once all are taken.
    const oldest = this.#last[this.#next];
    if (this.#last.length < count || oldest === undefined || at - oldest.at > windowMs) return null;
    if (at < this.#quietUntil) return null;
    this.#quietUntil = at + quietMs;
    const sinceLastAlert = this.#sinceLast;
    this.#sinceLast = 0;
    return {
      count,
      windowMs,
      reasons: tally(this.#last.map(({ reason }) => reason)),
      methods: tally(this.#last.map(({ method }) => method)),
      uids: tally(
        this.#last.map(({ uid }) => String(uid ?? 'unknown')),
        MAX_UIDS,
      ),
      sinceLastAlert,
    };
  }
}

/** Counts, most frequent first. */
function tally(names: readonly string[], most = Number.POSITIVE_INFINITY): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a).slice(0, most));
}
