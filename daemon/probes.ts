import { systemClock } from '../src/kernel/clock.ts';
import { asWardenError, type WardenError } from '../src/kernel/errors.ts';
import { ailingLogin, MEND_LOGIN } from '../src/openbao/token-source.ts';
import type { World } from '../src/operations/context.ts';
import { PolicyFault } from '../src/policy/decision-point.ts';
import { errorOfFault } from '../src/policy/fault-rule.ts';
import type { GateStatus } from '../src/policy/gate.ts';
import type { Health } from '../src/rpc/health.ts';
import type { AuthorityKey } from '../src/signing/certificate-authority.ts';
import type { BuiltWorld } from './world.ts';

export interface DependencyState {
  readonly name: 'ca' | 'policy' | 'openbao' | 'ledger' | 'config';
  readonly state: 'serving' | 'not_serving' | 'off';
  readonly detail: string;
  readonly hint: string;
}

type ProbedWorld = World & Pick<BuiltWorld, 'openbao'>;

const PROBE_TIMEOUT_MS = 3_000;
/** However many requests an outside system fails, it is asked no oftener than this on their account. */
const SOON_MS = 1_000;

/** Asks the outside systems whether they are there, apart from any request, and keeps what they said. */
export class Probes {
  readonly #world: () => ProbedWorld;
  readonly #health: Health;
  readonly #changed: () => void;
  #policy: DependencyState = { name: 'policy', state: 'off', detail: '', hint: '' };
  #store: DependencyState = { name: 'openbao', state: 'off', detail: '', hint: '' };
  #authority: DependencyState = { name: 'ca', state: 'not_serving', detail: 'not asked yet', hint: '' };
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  #again = false;
  /** Numbers of the round that began last, and of the one whose answers are shown. */
  #round = 0;
  #shown = 0;

  constructor(world: () => ProbedWorld, health: Health, changed: () => void) {
    this.#world = world;
    this.#health = health;
    this.#changed = changed;
  }

  get states(): readonly DependencyState[] {
    return [this.#authority, this.#policy, this.#store];
  }

  get anyDown(): boolean {
    return this.states.some(({ state }) => state === 'not_serving');
  }

  start(everyMs: number): void {
    this.#timer = setInterval(() => void this.run(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
  }

  /** A request has just met a system that is not there: whoever looks at health should see it, too. */
  soon(): void {
    this.#again = true;
    if (this.#soon === null) this.#now();
  }

  #now(): void {
    this.#again = false;
    void this.run();
    this.#soon = setTimeout(() => {
      this.#soon = null;
      // What came meanwhile may have been the third of three.
      if (this.#again) this.#now();
    }, SOON_MS).unref();
  }

  async run(): Promise<void> {
    const world = this.#world();
    const round = ++this.#round;
    const [authority, policy, store] = await Promise.all([
      probeAuthority(world),
      probePolicy(world),
      probeStore(world),
    ]);
    // A reload in between has probes of its own; and who waited for a system that was gone must not overrule who has
    // since met it again.
    if (this.#world() !== world || round < this.#shown) return;
    this.#shown = round;
    const before = JSON.stringify(this.states);
    this.#authority = authority;
    this.#policy = policy;
    this.#store = store;
    this.#health.set('ca', authority.state === 'serving');
    this.#health.set('policy', policy.state !== 'not_serving');
    this.#health.set('openbao', store.state !== 'not_serving');
    if (JSON.stringify(this.states) !== before) this.#changed();
  }
}

async function probeAuthority({ authority }: World): Promise<DependencyState> {
  try {
    await authority.ready();
    return { name: 'ca', state: 'serving', detail: `${authority.backend}${ages(authority.keys())}`, hint: '' };
  } catch (thrown) {
    const error = asWardenError(thrown);
    return { name: 'ca', state: 'not_serving', detail: error.message, hint: error.hint };
  }
}

/** How old the keys are, in days: what `warden ca roll` is for. */
function ages(keys: readonly AuthorityKey[]): string {
  const now = systemClock.now();
  const known = keys.flatMap(({ state, since }) =>
    since === undefined ? [] : [`${state} key of ${Math.max(0, Math.floor((now - since) / 86_400_000))} days`],
  );
  return known.length === 0 ? '' : `, ${known.join(', ')}`;
}

async function probePolicy({ gate, snapshot }: World): Promise<DependencyState> {
  if (gate === null) return { name: 'policy', state: 'off', detail: 'policy.enabled is false', hint: '' };
  const where = gate.double
    ? 'synthetic decision point'
    : `${snapshot.settings.policy.protocol} at ${snapshot.settings.policy.url}`;
  try {
    await gate.ready(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    const fault = faultOfAnswers(gate.status(), systemClock.now());
    if (fault !== null)
      return { name: 'policy', state: 'not_serving', detail: `${where}: ready, but ${fault}`, hint: MEND_ANSWERS };
    return { name: 'policy', state: 'serving', detail: where, hint: '' };
  } catch (thrown) {
    const error = thrown instanceof PolicyFault ? errorOfFault(thrown) : asWardenError(thrown);
    return { name: 'policy', state: 'not_serving', detail: `${where}: ${error.message}`, hint: error.hint };
  }
}

/** Errors that tell of an outside system rather than of the request: a token of the daemon that is no longer taken, too. */
export function metAbsence({ kind, code }: WardenError): boolean {
  return kind === 'unavailable' || code === 'owner_refused' || code === 'ca_refused';
}

/** So many faults in a row are no accident of one question. */
const FAULTS_THAT_COUNT = 3;
/** Nobody may have asked since somebody mended it. */
const FAULTS_COUNT_MS = 60_000;
const MEND_ANSWERS =
  'see policy.auth in warden.yaml, and the log of the decision point: it refuses or breaks our questions';

/**
 * What a decision point that calls itself ready does to our questions, where that is no answer: a health check asks
 * for no credential. Null where the last one was answered, or too few have failed to say.
 */
export function faultOfAnswers(
  { faultsInARow, lastFault }: Pick<GateStatus, 'faultsInARow' | 'lastFault'>,
  now: number,
): string | null {
  if (faultsInARow < FAULTS_THAT_COUNT || lastFault === null) return null;
  if (now - lastFault.at > FAULTS_COUNT_MS) return null;
  return `the last ${faultsInARow} questions failed: ${lastFault.message}`;
}

async function probeStore({ lanes, snapshot, openbao }: ProbedWorld): Promise<DependencyState> {
  const { store } = lanes;
  const { backend, posture } = snapshot.settings;
  const forRoutes = [...snapshot.routes.values()].some(({ lane }) => lane !== 'tool');
  const wanted = forRoutes || (backend === 'openbao' && posture !== 'dev');
  if (store === null || !wanted) {
    return {
      name: 'openbao',
      state: 'off',
      detail: wanted ? 'no `openbao:` in warden.yaml' : 'nothing needs it',
      hint: '',
    };
  }
  try {
    await store.ready(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    if (forRoutes && store.tier !== posture)
      return {
        name: 'openbao',
        state: 'not_serving',
        detail:
          store.tier === null
            ? `openbao.tier is not said, and the posture is ${posture}: fetch and exec are refused`
            : `tier ${store.tier}, and the posture is ${posture}: fetch and exec are refused`,
        hint: 'point openbao.address at the store of this posture, and say so in openbao.tier',
      };
    const detail = store.double ? 'synthetic values' : `tier ${store.tier ?? 'not said'}`;
    // A token that is still good serves; that no other will come must not wait until it has lapsed.
    const ailing = openbao === null || openbao.tokens === null ? null : ailingLogin(openbao.tokens.status());
    if (ailing !== null) return { name: 'openbao', state: 'serving', detail: `${detail}; ${ailing}`, hint: MEND_LOGIN };
    return { name: 'openbao', state: 'serving', detail, hint: '' };
  } catch (thrown) {
    const error = asWardenError(thrown);
    return { name: 'openbao', state: 'not_serving', detail: error.message, hint: error.hint };
  }
}
