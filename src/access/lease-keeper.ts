import type { Timers } from '../kernel/timers.ts';
import { backoff, refreshDelay } from '../openbao/renewal.ts';
import type { Walked } from './walk.ts';

const RENEW_WITHIN_MS = 10_000;

export interface LeaseKeeperOptions {
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  /** A lease that could not be renewed: its command goes on, and its login may lapse under it. */
  readonly onFailure: (error: unknown) => void;
}

/** Renews a lease in time until the answer is called. Does nothing where nothing is leased. */
export function keepLease(walked: Walked, { timers, random, onFailure }: LeaseKeeperOptions): () => void {
  const leaseId = walked.evidence?.leaseId ?? '';
  const given = (walked.evidence?.leaseSeconds ?? 0) * 1000;
  if (leaseId === '' || given === 0) return () => {};
  const stopped = new AbortController();
  let cancel = timers.after(refreshDelay(given, random()), () => void renew(0));

  async function renew(failures: number): Promise<void> {
    if (stopped.signal.aborted) return;
    try {
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(RENEW_WITHIN_MS)]);
      const lasts = (await walked.renew(signal)) * 1000;
      // Less than asked for: the lease nears the end that its owner set. A renewal cannot move it.
      if (!stopped.signal.aborted && lasts * 2 >= given) next(refreshDelay(lasts, random()), 0);
    } catch (error) {
      if (stopped.signal.aborted) return;
      if (failures === 0) onFailure(error);
      next(backoff(failures + 1, random()), failures + 1);
    }
  }

  function next(ms: number, failures: number): void {
    cancel = timers.after(ms, () => void renew(failures));
  }

  return () => {
    stopped.abort();
    cancel();
  };
}
