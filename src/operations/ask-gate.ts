import { inStep } from '../kernel/spans.ts';
import type { Decision, PolicyQuestion } from '../policy/decision.ts';
import { PolicyFault } from '../policy/decision-point.ts';
import { denial } from '../policy/denial.ts';
import { ruleOnFault } from '../policy/fault-rule.ts';
import type { Gate } from '../policy/gate.ts';
import { isAdministrator } from './authorised-actor.ts';
import { correlationOf, type RequestContext } from './context.ts';
import type { Trail } from './trail.ts';

export interface GateOutcome {
  readonly effect: 'allow' | 'not_asked' | 'fault';
  /** Null where none was given. */
  readonly decisionId: string | null;
  readonly reason: string;
  readonly cached: boolean;
  /** The decision point could not be reached, and the release goes ahead under break-glass or fail_closed: false. */
  readonly opened: boolean;
}

const NOT_ASKED: GateOutcome = { effect: 'not_asked', decisionId: null, reason: '', cached: false, opened: false };

/**
 * Asks the decision point where the operator wants that, and notes the answer on the trail before it acts on
 * it (`policy.gate` names what it is asked for, `gated`). An allow comes back; a deny and a fault are thrown, unless the fault is one that an open gate forgives.
 * @throws WardenError
 */
export async function askGate(
  question: PolicyQuestion,
  context: RequestContext,
  trail: Trail,
  gated: 'host' | PolicyQuestion['action'] = question.action,
): Promise<GateOutcome> {
  const { world } = context;
  const { policy } = world.snapshot.settings;
  if (world.gate === null || !policy.gate.includes(gated)) {
    trail.note({ policy_effect: 'not_asked' });
    return NOT_ASKED;
  }
  try {
    const decision = await decide(world.gate, question, context);
    trail.note({
      policy_effect: decision.effect,
      policy_cached: decision.cached,
      policy_id_source: decision.idSource,
      ...(decision.id === '' ? {} : { policy_decision_id: decision.id }),
      ...(decision.reason === '' ? {} : { policy_reason: decision.reason }),
    });
    if (decision.effect === 'deny') throw denial(decision);
    const { id, reason, cached } = decision;
    return { effect: 'allow', decisionId: id, reason, cached, opened: false };
  } catch (thrown) {
    if (!(thrown instanceof PolicyFault)) throw thrown;
    return afterFault(thrown, context, trail);
  }
}

function decide(gate: Gate, question: PolicyQuestion, context: RequestContext): Promise<Decision> {
  const { requestId, spans, signal } = context;
  return inStep(context, 'decision point', 'client', async (trace, step) => {
    const decision = await gate.decide(question, { ...correlationOf({ requestId, trace, spans }), signal });
    const { effect, cached, id } = decision;
    step.note({ 'warden.policy_effect': effect, 'warden.policy_cached': cached, 'warden.policy_decision_id': id });
    return decision;
  });
}

function afterFault(fault: PolicyFault, context: RequestContext, trail: Trail): GateOutcome {
  const { world, services } = context;
  trail.note({ policy_effect: 'fault', policy_reason: fault.kind });
  const verdict = ruleOnFault(fault, {
    failClosed: world.snapshot.settings.policy.failClosed,
    breakGlassOpen: services.breakGlass.current() !== null,
  });
  if (verdict.outcome === 'refuse') throw verdict.error;
  trail.note({ break_glass: true });
  return { effect: 'fault', decisionId: null, reason: fault.kind, cached: false, opened: true };
}

/** Who would be asked, for those who want to know: the address is for administrators, as in the status. */
export async function whomItAsks(context: RequestContext): Promise<string> {
  const { gate, snapshot } = context.world;
  if (gate?.double === true && snapshot.settings.posture === 'dev') return 'the synthetic decision point';
  return (await isAdministrator(context)) ? snapshot.settings.policy.url : 'the decision point';
}
