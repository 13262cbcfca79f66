import { statOf } from './session.ts';

interface Watched {
  /** Of the stop that it is in. */
  told: boolean;
  readonly stopped: () => void;
}

/** A command can be stopped and continued thousands of times a second, and each look is at all of them. */
const REST_MS = 10;

/** Children by their pid. */
const watched = new Map<number, Watched>();
let resting = false;
let again = false;

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
  again = resting;
  if (resting) return;
  resting = true;
  setTimeout(() => {
    resting = false;
    if (again) look();
  }, REST_MS).unref();
  for (const [pid, one] of watched) {
    const stands = statOf(pid)?.[0] === 'T';
    if (stands && !one.told) one.stopped();
    one.told = stands;
  }
}
