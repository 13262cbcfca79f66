import { systemClock } from '../src/kernel/clock.ts';
import { asWardenError } from '../src/kernel/errors.ts';
import type { World } from '../src/operations/context.ts';
import { PolicyFault } from '../src/policy/decision-point.ts';
import { errorOfFault } from '../src/policy/fault-rule.ts';
import type { Health } from '../src/rpc/health.ts';
import type { AuthorityKey } from '../src/signing/certificate-authority.ts';

export interface DependencyState {
  readonly name: 'ca' | 'policy' | 'openbao' | 'ledger' | 'config';
  readonly state: 'serving' | 'not_serving' | 'off';
  readonly detail: string;
  readonly hint: string;
}

const PROBE_TIMEOUT_MS = 3_000;
/** However many requests an outside system fails, it is asked no oftener than this on their account. */
const SOON_MS = 1_000;

/** Asks the outside systems whether they are there, apart from any request, and keeps what they said. */
export class Probes {
  readonly #world: () => World;
  readonly #health: Health;
  readonly #changed: () => void;
  #policy: DependencyState = { name: 'policy', state: 'off', detail: '', hint: '' };
  #store: DependencyState = { name: 'openbao', state: 'off', detail: '', hint: '' };
  #authority: DependencyState = { name: 'ca', state: 'not_serving', detail: 'not asked yet', hint: '' };
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;

  constructor(world: () => World, health: Health, changed: () => void) {
    this.#world = world;
    this.#health = health;
    this.#changed = changed;
  }

  get states(): readonly DependencyState[] {
    return [this.#authority, this.#policy, this.#store];
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
    if (this.#soon !== null) return;
    void this.run();
    this.#soon = setTimeout(() => {
      this.#soon = null;
    }, SOON_MS).unref();
  }

  async run(): Promise<void> {
    const world = this.#world();
    const before = JSON.stringify(this.states);
    const [authority, policy, store] = await Promise.all([
      probeAuthority(world),
      probePolicy(world),
      probeStore(world),
    ]);
    // A reload in between has probes of its own.
    if (this.#world() !== world) return;
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
    return { name: 'policy', state: 'serving', detail: where, hint: '' };
  } catch (thrown) {
    const error = thrown instanceof PolicyFault ? errorOfFault(thrown) : asWardenError(thrown);
    return { name: 'policy', state: 'not_serving', detail: `${where}: ${error.message}`, hint: error.hint };
  }
}

async function probeStore({ lanes, snapshot }: World): Promise<DependencyState> {
  const { store } = lanes;
  const wanted = [...snapshot.routes.values()].some(({ lane }) => lane !== 'tool');
  if (store === null || !wanted) {
    return {
      name: 'openbao',
      state: 'off',
      detail: wanted ? 'no `openbao:` in warden.yaml' : 'no route needs it',
      hint: '',
    };
  }
  try {
    await store.ready(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    const detail = store.double ? 'synthetic values' : `tier ${store.tier}`;
    return { name: 'openbao', state: 'serving', detail, hint: '' };
  } catch (thrown) {
    const error = asWardenError(thrown);
    return { name: 'openbao', state: 'not_serving', detail: error.message, hint: error.hint };
  }
}
