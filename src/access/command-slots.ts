import { WardenError } from '../kernel/errors.ts';

/** Commands that run at the same time: in all, and of one caller, which is its uid. */
export class CommandSlots {
  readonly #most: () => number;
  readonly #byCaller = new Map<number, number>();
  #running = 0;

  /** `most` is asked anew each time, so that a reload counts at once. */
  constructor(most: () => number) {
    this.#most = most;
  }

  get running(): number {
    return this.#running;
  }

  /**
   * One slot; the answer gives it back. An eighth of all is out of reach of any single caller, so that none shuts
   * out the others. @throws WardenError exec_limited saying which of the two is used up
   */
  take(uid: number): () => void {
    const most = this.#most();
    const share = most - Math.floor(most / 8);
    const own = this.#byCaller.get(uid) ?? 0;
    if (this.#running >= most) {
      throw new WardenError('exec_limited', `${most} commands run already, as many as may in all`);
    }
    if (own >= share) {
      throw new WardenError('exec_limited', `${own} commands of yours run already, as many as one caller may have`);
    }
    this.#running += 1;
    this.#byCaller.set(uid, own + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running -= 1;
      const left = (this.#byCaller.get(uid) ?? 1) - 1;
      if (left > 0) this.#byCaller.set(uid, left);
      else this.#byCaller.delete(uid);
    };
  }
}
