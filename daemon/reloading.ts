import { formatProblem, wholeFile } from '../src/config/problems.ts';
import { WARDEN_FILE } from '../src/config/read-folder.ts';
import type { Reloader } from '../src/config/reload.ts';
import type { ConfigProblem, Snapshot } from '../src/config/snapshot.ts';
import type { ConfigStore, LoadOutcome } from '../src/config/store.ts';
import { asWardenError } from '../src/kernel/errors.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { World } from '../src/operations/context.ts';
import type { BreakGlass } from '../src/policy/break-glass.ts';
import { PolicyFault } from '../src/policy/decision-point.ts';
import { errorOfFault } from '../src/policy/fault-rule.ts';
import type { ReloadResponse } from '../src/rpc/generated/warden/v1/warden.ts';
import type { Health } from '../src/rpc/health.ts';
import type { Log } from './log.ts';
import { Tenancy } from './tenancy.ts';
import { type BuiltWorld, buildWorld, enterWorld, leaveWorld, type WorldDeps } from './world.ts';

const PREFLIGHT_TIMEOUT_MS = 5_000;

/** The world in force, and the road by which the next one takes its place. */
export class Worlds {
  readonly #deps: WorldDeps;
  readonly #log: Log;
  #current: BuiltWorld;
  #prepared: BuiltWorld | null = null;
  #lastChanges: readonly string[] = [];
  #handOverDue = false;
  readonly #tenancy = new Tenancy<World>();

  constructor(first: BuiltWorld, deps: WorldDeps, log: Log) {
    this.#current = first;
    this.#deps = deps;
    this.#log = log;
    enterWorld(first);
  }

  get current(): BuiltWorld {
    return this.#current;
  }

  /** A request holds the world that it began with open until it calls the answer, once. */
  enter(world: World): () => void {
    return this.#tenancy.enter(world);
  }

  get lastChanges(): readonly string[] {
    return this.#lastChanges;
  }

  get handOverDue(): boolean {
    return this.#handOverDue;
  }

  /**
   * Builds what a candidate needs before it is put in force, and where it turns the gate on (or towards another
   * decision point) asks that one first: a gate that nobody answers would close the daemon.
   */
  async prepare(candidate: Snapshot): Promise<readonly ConfigProblem[]> {
    this.discard();
    try {
      this.#prepared = await buildWorld(candidate, this.#current, this.#deps);
    } catch (thrown) {
      const error = asWardenError(thrown);
      return [wholeFile(WARDEN_FILE, error.message, error.hint)];
    }
    const { gate } = this.#prepared;
    const { policy } = candidate.settings;
    if (gate === null || gate === this.#current.gate || !policy.failClosed) return [];
    try {
      await gate.ready(AbortSignal.timeout(PREFLIGHT_TIMEOUT_MS));
      return [];
    } catch (thrown) {
      const error = thrown instanceof PolicyFault ? errorOfFault(thrown) : asWardenError(thrown);
      const hint = `a decision point that answers at ${policy.url}, or \`policy.enabled: false\``;
      return [wholeFile(WARDEN_FILE, `policy pre-flight: ${error.message}`, hint)];
    }
  }

  /** Lets go of what was prepared for a candidate that came to nothing. */
  discard(): void {
    const abandoned = this.#prepared;
    this.#prepared = null;
    if (abandoned !== null) this.#close(abandoned, this.#current);
  }

  /** Swaps the one reference. In the same tick as the store, so that no request sees one without the other. */
  swap(outcome: Extract<LoadOutcome, { kind: 'swapped' }>): void {
    const former = this.#current;
    const base = this.#prepared ?? former;
    this.#prepared = null;
    this.#current = { ...base, snapshot: outcome.snapshot };
    enterWorld(this.#current);
    this.#lastChanges = outcome.changes.lines;
    this.#handOverDue ||= outcome.changes.registryHandOverDue;
    const next = this.#current;
    this.#tenancy.retire(former, () => this.#close(former, next));
  }

  #close(former: BuiltWorld, next: BuiltWorld): void {
    leaveWorld(former, next).catch((cause: unknown) =>
      this.#log.warn({ cause: String(cause) }, 'former client did not close'),
    );
  }
}

export interface ReloadReporting {
  readonly store: ConfigStore;
  readonly worlds: Worlds;
  readonly ledger: Ledger;
  readonly health: Health;
  readonly log: Log;
  readonly breakGlass: BreakGlass;
  readonly onChange: () => void;
}

/** Tells log, ledger, health and status of every load. */
export function reportReloads({ store, worlds, ledger, health, log, breakGlass, onChange }: ReloadReporting): void {
  let lastProblems = '';
  store.subscribe((outcome) => {
    if (outcome.kind === 'swapped') worlds.swap(outcome);
    else worlds.discard();
    // In the tick of the swap: no release goes out under what the new config no longer allows.
    const glassEnded = outcome.kind === 'swapped' && breakGlass.review(outcome.snapshot.settings.policy);
    if (glassEnded) log.warn('break-glass ended');
    health.set('config', store.problems.length === 0);
    const problems = store.problems.map(formatProblem).join('\n');
    const news = outcome.kind === 'swapped' || problems !== lastProblems;
    lastProblems = problems;
    if (!news) return;
    onChange();
    const { snapshot } = worlds.current;
    if (outcome.kind === 'swapped') {
      log.info(
        { generation: snapshot.generation, hash: snapshot.hash, changes: outcome.changes.lines },
        'config reloaded',
      );
      if (outcome.changes.registryHandOverDue) log.warn('registry hand-over due');
    } else if (outcome.kind === 'refused') {
      log.error(
        { reason: outcome.reason, problems: outcome.problems.map(formatProblem) },
        'config refused, the former one stays in force',
      );
    } else {
      log.info({ generation: snapshot.generation }, 'config is as it was');
    }
    const refused = outcome.kind === 'refused';
    const due = outcome.kind === 'swapped' && outcome.changes.registryHandOverDue ? ['registry hand-over due'] : [];
    const ended = glassEnded
      ? ['the open break-glass ended: whoever opened it may not open it like that any more']
      : [];
    const record = {
      kind: 'reload',
      outcome: refused ? 'refused' : 'ok',
      ...(refused ? { reason: outcome.reason } : {}),
      posture: snapshot.settings.posture,
      generation: snapshot.generation,
      ...(outcome.kind === 'swapped' ? { changes: [...outcome.changes.lines, ...due, ...ended] } : {}),
    } as const;
    ledger
      .append(record)
      .catch((cause: unknown) => log.error({ reason: asWardenError(cause).code }, 'reload not recorded'));
  });
}

/** One load, as the Reload RPC answers it. */
export async function reloadNow(reloader: Reloader, store: ConfigStore): Promise<ReloadResponse> {
  const outcome = await reloader.reload('rpc');
  const { current } = store;
  return {
    changed: outcome.kind === 'swapped',
    generation: BigInt(current.generation),
    hash: current.hash,
    changes: outcome.kind === 'swapped' ? [...outcome.changes.lines] : [],
    problems: outcome.kind === 'refused' ? outcome.problems.map(formatProblem) : [],
  };
}
