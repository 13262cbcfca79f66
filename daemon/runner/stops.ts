import { statOf } from './session.ts';

interface Watched {
  /** Of the stop that it is in. */
  told: boolean;
  readonly stopped: () => void;
}

/** Children by their pid. */
const watched = new Map<number, Watched>();

export interface StopWatch {
  /** It is being continued: the next stop is another one. */
  continues(): void;
  close(): void;
}

/** Calls `stopped` each time that a child of ours has been stopped, by whomever. The kernel tells of it as it tells of an end. */
export function watchStops(pid: number, stopped: () => void): StopWatch {
  const one: Watched = { told: false, stopped };
  if (watched.size === 0) process.on('SIGCHLD', look);
  watched.set(pid, one);
  return {
    continues: () => {
      one.told = false;
    },
    close: () => {
      if (watched.delete(pid) && watched.size === 0) process.off('SIGCHLD', look);
    },
  };
}

function look(): void {
  for (const [pid, one] of watched) {
    const stands = statOf(pid)?.[0] === 'T';
    if (stands && !one.told) one.stopped();
    one.told = stands;
  }
}
