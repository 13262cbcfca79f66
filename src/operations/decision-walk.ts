import type { PolicyQuestion } from '../policy/decision.ts';
import { askGate, type GateOutcome } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import type { Trail } from './trail.ts';

/** Steps of a decision, as `warden explain` names them. */
export type StepName =
  | 'caller'
  | 'key'
  | 'callers'
  | 'actor'
  | 'standing'
  | 'quota'
  | 'plan'
  | 'posture'
  | 'route'
  | 'fields'
  | 'confinement'
  | 'command'
  | 'lattice'
  | 'tier'
  | 'subject'
  | 'policy'
  | 'ceiling'
  | 'authority'
  | 'owner'
  | 'ledger';

export type StepOutcome = 'held' | 'failed' | 'not_reached' | 'not_asked' | 'would_ask';

/**
 * How a decision is walked: to act on it, or to explain it. Sign, fetch and exec each have one sequence of steps, and
 * both walk it: an explanation cannot say other than what would happen. A step begins, throws where it does not hold,
 * and is held otherwise; what is told of it is put into words only where somebody listens.
 */
export interface DecisionWalk {
  begin(name: StepName, needs: () => string | Promise<string>): void;
  held(was: () => string, outcome?: StepOutcome): void;
  /** Within the step `policy`, once for each question. `of`: what is asked about, where there are several. @throws WardenError as askGate */
  gate(question: PolicyQuestion, context: RequestContext, trail: Trail, of?: string): Promise<GateOutcome>;
  /** Ends the step `policy`. */
  gated(): void;
}

/** Where the record is kept of what is looked at now: a refusal is recorded there. */
export interface OnRecord {
  trail: Trail;
}

const nothing = (): void => {};

/** To act on it: the gate is asked, and nobody listens. */
export const FOR_REAL: DecisionWalk = {
  begin: nothing,
  held: nothing,
  gate: (question, context, trail) => askGate(question, context, trail),
  gated: nothing,
};
