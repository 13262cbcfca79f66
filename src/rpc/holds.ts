import { setTimeout as pause } from 'node:timers/promises';

/** Refusals of one caller that wait at once: beyond that they are answered at once, since each that waits is memory. */
const MOST_HELD = 128;
const HELD_MS = 50;

/**
 * Lets a caller that asks faster than it may wait a moment for its refusal. Whoever asks again as soon as it is refused
 * would otherwise have the daemon do little else; the others' requests pass in the meantime.
 */
export class Holds {
  readonly #held = new Map<number, number>();

  async hold(uid: number): Promise<void> {
    const held = this.#held.get(uid) ?? 0;
    if (held >= MOST_HELD) return;
    this.#held.set(uid, held + 1);
    await pause(HELD_MS);
    const left = (this.#held.get(uid) ?? 1) - 1;
    if (left > 0) this.#held.set(uid, left);
    else this.#held.delete(uid);
  }
}
