/** Timers as adapters see them, so that tests run the time themselves. */
export interface Timers {
  /** Runs once after so many milliseconds; the return value takes it back. Keeps no process alive. */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
