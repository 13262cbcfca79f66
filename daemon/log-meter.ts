/**
 * Whether one more line about somebody who was not let in is worth the disk: so many in each second, and the next
 * one says how many were left out. Whoever may connect can cause as many as the socket carries; the ledger counts
 * them all.
 */
export class LogMeter {
  readonly #monotonic: () => number;
  readonly #perSecond: number;
  #second = Number.NEGATIVE_INFINITY;
  #written = 0;
  #leftOut = 0;

  /** `monotonic` in milliseconds. */
  constructor(monotonic: () => number, perSecond = 20) {
    this.#monotonic = monotonic;
    this.#perSecond = perSecond;
  }

  /** Null: leave it out. Else write it, with the number of those that were left out before it. */
  next(): { readonly leftOut: number } | null {
    const now = this.#monotonic();
    if (now - this.#second >= 1_000) {
      this.#second = now;
      this.#written = 0;
    }
    if (this.#written >= this.#perSecond) {
      this.#leftOut += 1;
      return null;
    }
    this.#written += 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return { leftOut };
  }
}
