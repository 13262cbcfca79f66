import type { Party } from './party.ts';

/**
 * So many at once, so many waiting, and a clear no beyond that. Slots are numbered, and the one that was given
 * back last is given out first: whatever belongs to a slot (a connection) stays warm. First come, first served.
 */
export class Slots {
  readonly #queueLimit: number;
  readonly #party: Party;
  readonly #free: number[];
  readonly #waiting = new Set<(slot: number) => void>();
  readonly #idle: (() => void)[] = [];
  readonly #count: number;

  constructor(count: number, queueLimit: number, party: Party) {
    this.#party = party;
    this.#count = count;
    this.#queueLimit = queueLimit;
    this.#free = Array.from({ length: count }, (_, index) => count - 1 - index);
  }

  get taken(): number {
    return this.#count - this.#free.length;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * The number of a slot that is now ours, from 0; `release` it once. A wait ends with the signal.
   * @throws the party's fault, overloaded, where the queue is full; the signal's reason where it ended
   */
  acquire(signal: AbortSignal): Promise<number> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const slot = this.#free.pop();
    if (slot !== undefined) return Promise.resolve(slot);
    if (this.#waiting.size >= this.#queueLimit) {
      return Promise.reject(this.#party.fault('overloaded', `too many calls wait for ${this.#party.name}`));
    }
    return new Promise((resolve, reject) => {
      const admit = (given: number): void => {
        signal.removeEventListener('abort', leave);
        resolve(given);
      };
      const leave = (): void => {
        this.#waiting.delete(admit);
        reject(signal.reason);
      };
      this.#waiting.add(admit);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  release(slot: number): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      next(slot);
      return;
    }
    this.#free.push(slot);
    if (this.taken === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when nobody holds a slot and nobody waits for one. */
  idle(): Promise<void> {
    if (this.taken === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
