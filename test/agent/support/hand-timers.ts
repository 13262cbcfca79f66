import type { Timers } from '../../../src/kernel/timers.ts';
import { HandClock } from '../../policy/support/clock.ts';

/** A clock that stands still until it is told to pass, with the timers that it sets off on its way. */
export class HandTime extends HandClock implements Timers {
  #due: { readonly at: number; readonly run: () => void }[] = [];

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.mono + ms, run };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  }

  override pass(ms: number): void {
    const end = this.mono + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      super.pass(Math.max(0, next.at - this.mono));
      next.run();
    }
    super.pass(end - this.mono);
  }
}
