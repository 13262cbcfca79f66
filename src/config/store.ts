import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../kernel/clock.ts';
import type { ReasonCode } from '../kernel/reason.ts';
import { type Changes, changesInSteps } from './diff.ts';
import { type Candidate, ConfigLoader } from './loader.ts';
import type { ConfigParser } from './parser.ts';
import { wholeFile } from './problems.ts';
import { type FolderContent, readFolder, WARDEN_FILE } from './read-folder.ts';
import { needsRestart } from './restart.ts';
import type { ConfigProblem, Snapshot } from './snapshot.ts';

/** A check that a new state must pass before it is put in force (the gate's /healthz, say). Empty: passed. Never asked at start. */
export type Validator = (candidate: Snapshot, current: Snapshot) => Promise<readonly ConfigProblem[]>;

export type LoadOutcome =
  | {
      readonly kind: 'swapped';
      readonly snapshot: Snapshot;
      readonly previous: Snapshot | null;
      readonly changes: Changes;
    }
  /** Same content; the snapshot in force stays. */
  | { readonly kind: 'unchanged'; readonly snapshot: Snapshot }
  /** The snapshot in force stays; null where there never was one. */
  | {
      readonly kind: 'refused';
      readonly reason: RefusalReason;
      readonly problems: readonly ConfigProblem[];
      readonly snapshot: Snapshot | null;
      /** Of a failure that no rule foresaw: for the log. */
      readonly cause?: unknown;
    };

export type RefusalReason = Extract<ReasonCode, 'config_invalid' | 'restart_required' | 'preflight_failed'>;

export interface ConfigStoreOptions {
  readonly dir: string;
  readonly daemonUid: number;
  readonly parser: ConfigParser;
  readonly clock: Clock;
  /** A folder without warden.yaml and inventory.yaml stands for the dev posture's defaults. Only at the first load, or while they are in force. */
  readonly mayEmbed: boolean;
  readonly validators?: readonly Validator[];
  readonly read?: (dir: string, daemonUid: number) => Promise<FolderContent>;
}

/** The config in force. One load at a time; the last good state stays until a better one is whole. */
export class ConfigStore {
  readonly dir: string;
  readonly #options: ConfigStoreOptions;
  readonly #loader: ConfigLoader;
  readonly #listeners = new Set<(outcome: LoadOutcome) => void>();
  #current: Snapshot | null = null;
  #problems: readonly ConfigProblem[] = [];
  #running: Promise<LoadOutcome> | null = null;
  #queued: Promise<LoadOutcome> | null = null;

  constructor(options: ConfigStoreOptions) {
    this.dir = options.dir;
    this.#options = options;
    this.#loader = new ConfigLoader(options.parser, options.dir);
  }

  /** @throws Error before the first good load */
  get current(): Snapshot {
    if (this.#current === null) throw new Error('no config has been loaded');
    return this.#current;
  }

  /** Why the newest files are not in force; empty where they are. */
  get problems(): readonly ConfigProblem[] {
    return this.#problems;
  }

  /** Hears of every load's outcome, in order. A listener must not throw. Returns how to stop. */
  subscribe(listener: (outcome: LoadOutcome) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Reads the folder as it is now and swaps where it is good. A call during a load waits for one more load, which
   * it shares with every other such call: what was on disk when it was called has been read when it resolves.
   */
  load(): Promise<LoadOutcome> {
    if (this.#running === null) {
      this.#running = this.#loadOnce().finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#queued = null;
        return this.load();
      });
    return this.#queued;
  }

  async #loadOnce(): Promise<LoadOutcome> {
    const outcome = await this.#attempt().catch((cause): LoadOutcome => {
      const problem = wholeFile('.', 'the config could not be loaded', 'the log has the cause');
      return { ...this.#refuse('config_invalid', [problem]), cause };
    });
    this.#problems = outcome.kind === 'refused' ? outcome.problems : [];
    for (const listener of this.#listeners) listener(outcome);
    return outcome;
  }

  async #attempt(): Promise<LoadOutcome> {
    const { dir, daemonUid, mayEmbed, read = readFolder } = this.#options;
    const current = this.#current;
    const content = await read(dir, daemonUid);
    const { candidate, problems } = await this.#loader.load(
      content,
      mayEmbed && (current === null || current.embedded === true),
    );
    if (candidate === null) return this.#refuse('config_invalid', problems);
    if (current === null) return this.#swap(candidate);
    const fixed = needsRestart(current.settings, candidate.settings);
    if (fixed.length > 0) return this.#refuse('restart_required', fixed.map(restartProblem));
    if (current.hash === candidate.hash && current.embedded === candidate.embedded) {
      return { kind: 'unchanged', snapshot: current };
    }
    const next = this.#snapshot(candidate);
    for (const validate of this.#options.validators ?? []) {
      const failed = await validate(next, current);
      if (failed.length > 0) return this.#refuse('preflight_failed', failed);
    }
    return this.#swap(candidate);
  }

  #refuse(reason: RefusalReason, problems: readonly ConfigProblem[]): Extract<LoadOutcome, { kind: 'refused' }> {
    return { kind: 'refused', reason, problems, snapshot: this.#current };
  }

  async #swap(candidate: Candidate): Promise<LoadOutcome> {
    const previous = this.#current;
    const snapshot = this.#snapshot(candidate);
    const steps = changesInSteps(previous, snapshot);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        this.#current = snapshot;
        return { kind: 'swapped', snapshot, previous, changes: step.value };
      }
      await nextTurn();
    }
  }

  #snapshot(candidate: Candidate): Snapshot {
    return Object.freeze({
      ...candidate,
      generation: (this.#current?.generation ?? 0) + 1,
      loadedAt: this.#options.clock.now(),
    });
  }
}

function restartProblem(key: string): ConfigProblem {
  return wholeFile(WARDEN_FILE, `\`${key}\` is fixed while the daemon runs`, 'the former value, or restart the daemon');
}
