import type { Actor, ActorType } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { CertificatePlan } from '../signing/certificate-plan.ts';
import { checkCeiling } from '../signing/plan.ts';

/**
 * The local ceiling after the gate has spoken: a refusal still carries the decision that came before it.
 * @throws WardenError ttl_out_of_bounds
 */
export function checkCeilingAfterGate(
  plan: CertificatePlan,
  actor: Actor,
  ceilings: Readonly<Record<ActorType, number>>,
  decisionId: string | null,
): void {
  try {
    checkCeiling(plan, actor, ceilings);
  } catch (error) {
    if (error instanceof WardenError && decisionId !== null) throw error.with({ decisionId });
    throw error;
  }
}
