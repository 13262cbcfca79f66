import { asWardenError, type WardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import type { PolicyQuestion } from '../policy/decision.ts';
import { denial } from '../policy/denial.ts';
import { askGate, type GateOutcome, whomItAsks } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import type { DecisionWalk, OnRecord, StepName, StepOutcome } from './decision-walk.ts';
import { Trail } from './trail.ts';

export interface ExplainedStep {
  readonly name: StepName;
  readonly outcome: StepOutcome;
  readonly needed: string;
  readonly was: string;
}

export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly verdict: 'allowed' | 'refused' | 'would_ask' | 'fault';
  readonly error: WardenError | null;
  readonly decisionId: string | null;
  /** Null where nothing was recorded. */
  readonly receipt: LedgerReceipt | null;
}

type Needs = () => string | Promise<string>;

/** To explain it: each step is put into words, and the gate is asked only where `ask` says so. */
class Explaining implements DecisionWalk {
  readonly #ask: boolean;
  readonly #steps: { name: StepName; outcome: StepOutcome; needs: Needs; was: string }[] = [];
  #name: StepName = 'caller';
  #needs: Needs = () => '';
  readonly #said: string[] = [];
  /** What the gate is off for; null where it is on. */
  #offFor: string | null = null;
  verdict: 'allowed' | 'would_ask' | 'fault' = 'allowed';
  decisionId: string | null = null;

  constructor(ask: boolean) {
    this.#ask = ask;
  }

  begin(name: StepName, needs: Needs): void {
    this.#name = name;
    this.#needs = needs;
  }

  held(was: () => string, outcome: StepOutcome = 'held'): void {
    this.#steps.push({ name: this.#name, outcome, needs: this.#needs, was: was() });
  }

  async gate(question: PolicyQuestion, context: RequestContext, trail: Trail, of = ''): Promise<GateOutcome> {
    const outcome = await this.#askOrPeek(question, context, trail);
    const { effect, decisionId, reason, cached } = outcome ?? {};
    if (outcome !== null && effect === 'not_asked') {
      this.#offFor = question.action;
      return outcome;
    }
    this.decisionId = decisionId ?? this.decisionId;
    if (effect === 'fault') this.verdict = 'fault';
    else if (outcome === null && this.verdict === 'allowed') this.verdict = 'would_ask';
    const was =
      outcome === null
        ? `would ask ${await whomItAsks(context)}; --ask asks for real`
        : `${effect} ${decisionId ?? ''} ${reason}`.trim() + (cached === true ? ' (cached)' : '');
    this.#said.push(of === '' ? was : `${of}: ${was}`);
    return outcome ?? { effect: 'not_asked', decisionId: null, reason: '', cached: false, opened: false };
  }

  gated(): void {
    if (this.#offFor !== null) {
      this.#needs = () => `nothing: the gate is off for ${this.#offFor}`;
      this.held(() => 'not asked', 'not_asked');
    } else {
      this.held(() => this.#said.join('; '), this.verdict === 'would_ask' ? 'would_ask' : 'held');
    }
  }

  /** Null: it would be asked, and must not be. */
  async #askOrPeek(question: PolicyQuestion, context: RequestContext, trail: Trail): Promise<GateOutcome | null> {
    const { gate, snapshot } = context.world;
    if (this.#ask || gate === null || !snapshot.settings.policy.gate.includes(question.action)) {
      return askGate(question, context, trail);
    }
    const known = gate.peek(question);
    if (known === null) return null;
    if (known.effect === 'deny') throw denial(known);
    const { id, reason, cached } = known;
    return { effect: 'allow', decisionId: id, reason, cached, opened: false };
  }

  /** Every step of `names`, in that order. `error`: what the step that did not hold threw. */
  async told(names: readonly StepName[], error: WardenError | null): Promise<ExplainedStep[]> {
    const steps: ExplainedStep[] = [];
    for (const { name, outcome, needs, was } of this.#steps) steps.push({ name, outcome, needed: await needs(), was });
    if (error === null) return steps;
    steps.push({ name: this.#name, outcome: 'failed', needed: await this.#needs(), was: error.message });
    const left = names.slice(steps.length);
    return [...steps, ...left.map((name) => ({ name, outcome: 'not_reached', needed: '', was: '' }) as const)];
  }
}

/**
 * A decision step by step, without its effect: nothing is made, started or released, and the decision point is asked
 * only where `ask` says so (then that is recorded). `decide` walks what is walked for real, then looks at what would
 * come next, and names the trails that have something to record. `names`: of its steps, between caller and ledger.
 * @throws WardenError internal
 */
export async function explainDecision(
  names: readonly StepName[],
  decide: (walk: DecisionWalk, at: OnRecord) => Promise<readonly Trail[]>,
  ask: boolean,
  context: RequestContext,
): Promise<Explanation> {
  const at: OnRecord = { trail: new Trail('explain', context) };
  const walk = new Explaining(ask);
  const all = ['caller', ...names, 'ledger'] as const;
  try {
    const { caller } = context.connection;
    walk.begin('caller', () => 'a live process, attested when it connected');
    walk.held(() => `uid ${caller.uid}, pid ${caller.pid}, ${caller.exe ?? 'executable unreadable'}`);

    const trails = await decide(walk, at);

    walk.begin('ledger', () => 'a ledger that can be written');
    let receipt: LedgerReceipt | null = null;
    for (const trail of ask ? trails : []) {
      receipt = await context.services.ledger.appendRefusal(trail.entry('ok'));
    }
    walk.held(() => (ask ? 'recorded' : 'not written: nothing was released'));
    const { verdict, decisionId } = walk;
    return { steps: await walk.told(all, null), verdict, error: null, decisionId, receipt };
  } catch (thrown) {
    let error = asWardenError(thrown);
    if (error.code === 'internal') throw error;
    if (ask) error = await at.trail.refuse(error);
    return {
      steps: await walk.told(all, error),
      verdict: error.kind === 'unavailable' ? 'fault' : 'refused',
      error,
      decisionId: error.details.decisionId ?? walk.decisionId,
      receipt: error.details.ledgerSeq === undefined ? null : { seq: error.details.ledgerSeq, time: '' },
    };
  }
}
