import { type FSWatcher, watch } from 'chokidar';
import type { Clock } from '../kernel/clock.ts';
import { systemTimers, type Timers } from '../kernel/timers.ts';
import { debounce } from './debounce.ts';
import { fingerprint } from './fingerprint.ts';

export interface WatchOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Something changed; which file is for the reader to find. A promise that comes back resolves when it has been read; it must not reject. */
  readonly onChange: (trigger: 'watch' | 'poll') => unknown;
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
  /** Resolves when the watcher hears of changes. */
  readonly ready: Promise<void>;
  /**
   * To be wrapped around loads that others ask for (SIGHUP, RPC); `onChange` is wrapped already. The poll compares
   * the folder with what it was when it was read, not with what it was at the last look: a file may go from A to B
   * and back between two looks, with B read in between.
   */
  around<Result>(load: () => Promise<Result>): Promise<Result>;
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
  // What the folder looked like while it was last read; null where that is not sure.
  let read: string | null = null;
  let racy = false;
  let degraded = false;

  const around = async <Result>(load: () => Promise<Result>): Promise<Result> => {
    const before = await fingerprint(dir, clock.now());
    const result = await load();
    const after = await fingerprint(dir, clock.now());
    read = before.text === after.text ? after.text : null;
    racy = before.racy;
    return result;
  };
  const burst = debounce(quietMs, mostMs, timers, () => void around(async () => onChange('watch')));
  const look = async (): Promise<void> => {
    const now = await fingerprint(dir, clock.now());
    if (closed) return;
    // A change too young for the file system's clock to be told from a next one: read once more when it has aged.
    if (now.text !== read || (racy && !now.racy)) await around(async () => onChange('poll'));
    next();
  };
  const next = (): void => {
    if (!closed) cancelPoll = timers.after(pollMs, () => void look());
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
    watcher = watch(dir, {
      depth: 0,
      ignoreInitial: true,
      persistent: true,
      followSymlinks: true,
      atomic: false,
      // A CA key beside them, which root alone may read, can't be watched, and need not be.
      ignored: (path, stats) => stats?.isFile() === true && !path.endsWith('.yaml'),
    });
    watcher.on('all', () => burst.poke());
    watcher.on('ready', resolve);
    watcher.on('error', (thrown) => {
      degrade(thrown);
      resolve();
    });
  });
  next();
  return {
    ready: listening,
    around,
    close: async () => {
      closed = true;
      burst.cancel();
      cancelPoll?.();
      await watcher?.close();
    },
  };
}
