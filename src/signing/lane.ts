/** At most `width` pieces of work at once, first come first served, and a bound on how many wait. */
export class Lane {
  readonly #width: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(width: number, maxWaiting: number) {
    this.#width = width;
    this.#maxWaiting = maxWaiting;
  }

  get full(): boolean {
    return this.#active >= this.#width && this.#waiting.length >= this.#maxWaiting;
  }

  /** Runs the work when its turn comes. Look at `full` first: this takes it in any case. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#active >= this.#width) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#active += 1;
    try {
      return await work();
    } finally {
      // The place goes to the next in line without being free in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#active -= 1;
      else next();
    }
  }
}
