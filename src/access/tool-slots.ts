import { WardenError } from '../kernel/errors.ts';

/** Tools at work at once, whoever asked: each is a process. */
const MOST = 16;
/** Of one user: who stops its own tools in the middle must leave some for the others. */
const MOST_OF_ONE = 8;

/** Counts the tools that run. */
export class ToolSlots {
  readonly #running = new Map<number, number>();

  /** Runs `work` as one of the tools of this user. @throws WardenError tool_failed where too many run; what `work` throws */
  async run<T>(uid: number, work: () => Promise<T>): Promise<T> {
    const own = this.#running.get(uid) ?? 0;
    let all = 0;
    for (const count of this.#running.values()) all += count;
    if (own >= MOST_OF_ONE) throw busy(`${MOST_OF_ONE} tools of yours run already`);
    if (all >= MOST) throw busy(`${MOST} tools run already`);
    this.#running.set(uid, own + 1);
    try {
      return await work();
    } finally {
      const left = (this.#running.get(uid) ?? 1) - 1;
      if (left === 0) this.#running.delete(uid);
      else this.#running.set(uid, left);
    }
  }
}

function busy(message: string): WardenError {
  return new WardenError('tool_failed', message, { hint: 'ask again in a moment' });
}
