import { isDeepStrictEqual } from 'node:util';
import type { AlertSettings } from '../../src/config/snapshot.ts';
import type { RequestEnd } from '../../src/rpc/admit.ts';
import type { Log } from '../log.ts';
import { runAlert } from './alert-program.ts';
import { BurstWatch } from './burst.ts';

export interface AlertDeps {
  readonly log: Log;
  readonly uid: number;
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly now: () => number;
  /** What of the daemon an alert names: posture, generation, number of the last record. */
  readonly context: () => { readonly posture: string; readonly generation: number; readonly ledger_seq: number };
}

/** Tells somebody when refusals come in a burst: the log always, a program where one is configured. */
export class Alerts {
  readonly #deps: AlertDeps;
  readonly #ended = new AbortController();
  #settings: AlertSettings | null = null;
  #watch: BurstWatch | null = null;
  #running: Promise<void> | null = null;

  constructor(deps: AlertDeps) {
    this.#deps = deps;
  }

  apply(settings: AlertSettings | null): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    this.#watch = settings === null ? null : new BurstWatch(settings);
  }

  requestEnded({ method, error, context }: RequestEnd): void {
    if (this.#watch === null || error === null || error.kind !== 'refused') return;
    const uid = context?.connection.caller.uid ?? null;
    const burst = this.#watch.add({ reason: error.code, method, uid }, this.#deps.monotonic());
    if (burst === null) return;
    const { now, context: around, log } = this.#deps;
    const about = {
      v: 1,
      alert: 'refusals',
      time: new Date(now()).toISOString(),
      count: burst.count,
      window_ms: burst.windowMs,
      since_last_alert: burst.sinceLastAlert,
      reasons: burst.reasons,
      methods: burst.methods,
      uids: burst.uids,
      ...around(),
    };
    log.warn(about, 'burst of refusals');
    const command = this.#settings?.command ?? null;
    if (command !== null) this.#run(command, about);
  }

  async close(): Promise<void> {
    this.#watch = null;
    this.#ended.abort();
    await this.#running;
  }

  #run(command: readonly string[], about: object): void {
    const { log, uid } = this.#deps;
    if (this.#running !== null) {
      log.error({ program: command[0], detail: 'the last one still runs' }, 'alert not delivered');
      return;
    }
    this.#running = runAlert(command, about, { uid, signal: this.#ended.signal }).then(({ end, detail }) => {
      this.#running = null;
      if (end === 'done') log.info({ program: command[0] }, 'alert delivered');
      else log.error({ program: command[0], end, detail }, 'alert not delivered');
    });
  }
}
