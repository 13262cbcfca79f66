import { PolicyFault } from './decision-point.ts';

/** So many at once, so many waiting, and a clear no beyond that. First come, first served. */
export class Slots {
  readonly #concurrency: number;
  readonly #queueLimit: number;
  readonly #waiting = new Set<() => void>();
  readonly #idle: (() => void)[] = [];
  #taken = 0;

  constructor(concurrency: number, queueLimit: number) {
    this.#concurrency = concurrency;
    this.#queueLimit = queueLimit;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when a slot is ours; `release` it once. A wait ends with the signal.
   * @throws PolicyFault overloaded where the queue is full; the signal's reason where it ended
   */
  acquire(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#taken < this.#concurrency) {
      this.#taken += 1;
      return Promise.resolve();
    }
    if (this.#waiting.size >= this.#queueLimit) {
      return Promise.reject(new PolicyFault('overloaded', 'too many calls wait for the decision point'));
    }
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(admit);
        reject(signal.reason);
      };
      this.#waiting.add(admit);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken -= 1;
      if (this.#taken === 0) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    // The slot passes on: the count stays.
    this.#waiting.delete(next);
    next();
  }

  /** Resolves when nobody holds a slot and nobody waits for one. */
  idle(): Promise<void> {
    if (this.#taken === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
