import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import type { Timers } from '../kernel/timers.ts';
import type { ConfigParser } from './parser.ts';
import { formatProblem } from './problems.ts';
import { type ReloadEvent, Reloader, type ReloadTrigger } from './reload.ts';
import type { Snapshot } from './snapshot.ts';
import { ConfigStore, type LoadOutcome, type Validator } from './store.ts';
import { type ConfigWatch, type WatchOptions, watchConfig } from './watch.ts';

export interface LiveConfigOptions {
  readonly dir: string;
  readonly daemonUid: number;
  readonly parser: ConfigParser;
  readonly clock: Clock;
  /** See ConfigStoreOptions. */
  readonly mayEmbed: boolean;
  readonly validators?: readonly Validator[];
  readonly onReload?: (event: ReloadEvent) => void;
  /** A sentence for the log. */
  readonly onDegraded?: (why: string) => void;
  readonly timers?: Timers;
  readonly watch?: Partial<Pick<WatchOptions, 'pollMs' | 'quietMs' | 'mostMs' | 'events'>>;
}

/** A config that is in force and stays so: loaded, then watched until `close()`. */
export interface LiveConfig {
  readonly store: ConfigStore;
  readonly current: Snapshot;
  reload(trigger: ReloadTrigger): Promise<LoadOutcome>;
  close(): Promise<void>;
}

/**
 * Loads the folder, then watches it. Resolves when the first state is in force and changes are heard of.
 * @throws WardenError config_invalid, its message holding every problem
 */
export async function openConfig(options: LiveConfigOptions): Promise<LiveConfig> {
  const { dir, daemonUid, parser, clock, mayEmbed, validators = [] } = options;
  const store = new ConfigStore({ dir, daemonUid, parser, clock, mayEmbed, validators });
  const reloader = new Reloader({
    store,
    ...(options.timers === undefined ? {} : { timers: options.timers }),
    ...(options.onReload === undefined ? {} : { onReload: options.onReload }),
  });
  const first = await reloader.reload('start');
  if (first.kind === 'refused') {
    await parser.close();
    throw new WardenError(
      'config_invalid',
      `the config in ${dir} is not usable\n${first.problems.map(formatProblem).join('\n')}`,
    );
  }
  const reload = (trigger: ReloadTrigger): Promise<LoadOutcome> => watch.around(() => reloader.reload(trigger));
  const watch: ConfigWatch = watchConfig({
    dir,
    clock,
    onChange: (trigger) => reloader.reload(trigger),
    ...(options.onDegraded === undefined ? {} : { onDegraded: options.onDegraded }),
    ...(options.timers === undefined ? {} : { timers: options.timers }),
    ...options.watch,
  });
  await watch.ready;
  // What changed between the first load and the watcher's start.
  await reload('watch');
  return {
    store,
    get current() {
      return store.current;
    },
    reload,
    close: async () => {
      reloader.close();
      await watch.close();
      await parser.close();
    },
  };
}
