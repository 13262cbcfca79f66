/** How fast one command may write: a bucket of one second's worth, kept as the moment at which it would be full again. */
export class OutputRate {
  readonly #perMs: number;
  readonly #monotonic: () => number;
  #fullAt = Number.NEGATIVE_INFINITY;

  /** `monotonic`: milliseconds. */
  constructor(bytesPerSecond: number, monotonic: () => number) {
    this.#perMs = bytesPerSecond / 1000;
    this.#monotonic = monotonic;
  }

  /** Takes so many bytes; the answer is how many milliseconds to wait before the next. */
  spend(bytes: number): number {
    const now = this.#monotonic();
    this.#fullAt = Math.max(this.#fullAt, now) + bytes / this.#perMs;
    return Math.max(0, this.#fullAt - now - 1000);
  }
}
