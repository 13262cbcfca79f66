/** Timers as adapters see them, so that tests run the time themselves. */
export interface Timers {
  /** Runs once after so many milliseconds; the return value takes it back. Keeps no process alive. */
  after(ms: number, run: () => void): () => void;
}

/** Node runs at once what is to wait any longer. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemTimers: Timers = {
  after: (ms, run) => {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      const now = Math.min(left, LONGEST_MS);
      timer = setTimeout(() => (left > now ? wait(left - now) : run()), now).unref();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};
