import type { Timers } from '../kernel/timers.ts';

/** Runs once a burst of calls is over, and at the latest `mostMs` after its first one: a stream that never pauses is heard too. */
export function debounce(
  quietMs: number,
  mostMs: number,
  timers: Timers,
  run: () => void,
): { poke(): void; cancel(): void } {
  let cancelQuiet: (() => void) | null = null;
  let cancelMost: (() => void) | null = null;
  const cancel = (): void => {
    cancelQuiet?.();
    cancelMost?.();
    cancelQuiet = null;
    cancelMost = null;
  };
  const fire = (): void => {
    cancel();
    run();
  };
  return {
    poke: () => {
      cancelQuiet?.();
      cancelQuiet = timers.after(quietMs, fire);
      cancelMost ??= timers.after(mostMs, fire);
    },
    cancel,
  };
}
