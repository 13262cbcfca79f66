import { systemTimers, type Timers } from '../kernel/timers.ts';
import type { ConfigStore, LoadOutcome } from './store.ts';

/** What made the daemon read its config again. */
export type ReloadTrigger = 'start' | 'watch' | 'poll' | 'signal' | 'rpc' | 'retry';

export interface ReloadEvent {
  readonly trigger: ReloadTrigger;
  readonly outcome: LoadOutcome;
}

export interface ReloaderOptions {
  readonly store: ConfigStore;
  readonly timers?: Timers;
  /** Milliseconds between two tries of a pre-flight that fails. */
  readonly retryMs?: number;
  /** Hears of every outcome, also of those that change nothing; must not throw. */
  readonly onReload?: (event: ReloadEvent) => void;
}

/** The one door to a reload: file watcher, SIGHUP and the Reload RPC all come through here. */
export class Reloader {
  readonly #store: ConfigStore;
  readonly #timers: Timers;
  readonly #retryMs: number;
  readonly #onReload: (event: ReloadEvent) => void;
  #cancelRetry: (() => void) | null = null;
  #closed = false;

  constructor(options: ReloaderOptions) {
    this.#store = options.store;
    this.#timers = options.timers ?? systemTimers;
    this.#retryMs = options.retryMs ?? 10_000;
    this.#onReload = options.onReload ?? (() => {});
  }

  /** Resolves once what was on disk at the call has been read and either put in force or refused. */
  async reload(trigger: ReloadTrigger): Promise<LoadOutcome> {
    this.#stopRetry();
    const outcome = await this.#store.load();
    if (!this.#closed) {
      this.#stopRetry();
      // A good file that waits for the decision point: tried until it passes, or another reload takes its place.
      if (outcome.kind === 'refused' && outcome.reason === 'preflight_failed') {
        this.#cancelRetry = this.#timers.after(this.#retryMs, () => void this.reload('retry'));
      }
      this.#onReload({ trigger, outcome });
    }
    return outcome;
  }

  close(): void {
    this.#closed = true;
    this.#stopRetry();
  }

  #stopRetry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }
}
