import { type FSWatcher, watch } from 'chokidar';
import type { Clock } from '../kernel/clock.ts';
import { debounce } from './debounce.ts';
import { fingerprint } from './fingerprint.ts';
import { systemTimers, type Timers } from './timers.ts';

export interface WatchOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Something changed; which file is for the reader to find. */
  readonly onChange: (trigger: 'watch' | 'poll') => void;
  /** The kernel refuses to tell of changes (ENOSPC, EMFILE …): only the poll is left. A sentence for the log. */
  readonly onDegraded?: (why: string) => void;
  readonly timers?: Timers;
  /** Milliseconds between two looks at real paths, inodes, sizes and times. */
  readonly pollMs?: number;
  /** Milliseconds of quiet that end a burst of events, and the longest that a burst is waited for. */
  readonly quietMs?: number;
  readonly mostMs?: number;
  /** False: the poll alone. */
  readonly events?: boolean;
}

export interface ConfigWatch {
  /** Resolves when the watcher hears of changes and the poll has looked once. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/**
 * Watches the config folder through chokidar and, since that misses retargeted links, folders swapped whole and
 * parents that were missing, through a slow poll. Either alone is enough to hear of a change.
 */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const {
    dir,
    clock,
    onChange,
    onDegraded = () => {},
    timers = systemTimers,
    pollMs = 2_000,
    quietMs = 75,
    mostMs = 500,
  } = options;
  let closed = false;
  let cancelPoll: (() => void) | null = null;
  let seen = '';
  let again = false;
  let degraded = false;

  const burst = debounce(quietMs, mostMs, timers, () => onChange('watch'));
  const look = async (first: boolean): Promise<void> => {
    const now = await fingerprint(dir, clock.now());
    if (closed) return;
    const changed = now.text !== seen;
    // A racy look is followed by one more load: hashes tell then, and an untouched file is not parsed again.
    const uncertain = again;
    again = now.racy;
    seen = now.text;
    if (!first && (changed || (uncertain && !now.racy))) onChange('poll');
    cancelPoll = timers.after(pollMs, () => void look(false));
  };
  const degrade = (thrown: unknown): void => {
    if (degraded || closed) return;
    degraded = true;
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown error';
    onDegraded(`file events are not available (${code}): changes are found every ${pollMs} ms instead`);
    void watcher?.close().catch(() => undefined);
  };
  let watcher: FSWatcher | null = null;
  const listening = new Promise<void>((resolve) => {
    if (options.events === false) return resolve();
    watcher = watch(dir, { depth: 0, ignoreInitial: true, persistent: true, followSymlinks: true, atomic: false });
    watcher.on('all', () => burst.poke());
    watcher.on('ready', resolve);
    watcher.on('error', (thrown) => {
      degrade(thrown);
      resolve();
    });
  });
  const looking = look(true);
  return {
    ready: Promise.all([listening, looking]).then(() => undefined),
    close: async () => {
      closed = true;
      burst.cancel();
      cancelPoll?.();
      await watcher?.close();
    },
  };
}
