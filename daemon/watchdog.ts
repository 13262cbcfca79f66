import type { ServiceManager } from './notify.ts';

/** Looks in a period: two may fail, for whatever reason, before the third decides. */
const LOOKS_IN_A_PERIOD = 3;
const RETRY_MS = 500;

/**
 * Feeds the service manager's watchdog for as long as the daemon answers itself, and not a moment longer. Returns how
 * to stop. Does nothing where the manager wants no signs of life.
 */
export function feedWatchdog(
  manager: ServiceManager,
  /** Rejects where the daemon does not answer within so many milliseconds. */
  probe: (deadlineMs: number) => Promise<void>,
  onHungry: (cause: string) => void,
): () => void {
  const { watchdogMs } = manager;
  if (watchdogMs === null) return () => {};
  const everyMs = watchdogMs / LOOKS_IN_A_PERIOD;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    let nextMs = everyMs;
    try {
      await probe(everyMs);
      if (!stopped) manager.alive();
    } catch (cause) {
      nextMs = Math.min(everyMs, RETRY_MS);
      if (!stopped) onHungry(String(cause));
    }
    if (!stopped) timer = setTimeout(look, nextMs).unref();
  }

  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
