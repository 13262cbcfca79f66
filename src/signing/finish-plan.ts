import { WardenError } from '../kernel/errors.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import { checkActorName, formatKeyId } from './key-id.ts';
import type { DraftPlan } from './plan.ts';
import { MAX_SERIAL } from './serial.ts';

export interface AfterGate {
  /** Null where no decision point was asked. */
  readonly decisionId: string | null;
  /** Null where the authority chooses (OpenBao). */
  readonly serial: bigint | null;
  readonly posture: EnvPosture;
}

/**
 * The plan as an authority takes it: with key id and serial.
 * @throws WardenError policy_answer_invalid for an empty decision id: an allow without one cannot be traced.
 */
export function finishPlan(draft: DraftPlan, after: AfterGate): CertificatePlan {
  const { requestId, ...plan } = draft;
  checkActorName(plan.actor);
  if (after.decisionId === '') {
    throw new WardenError('policy_answer_invalid', 'the decision point allowed without a decision id');
  }
  if (after.serial !== null && (after.serial <= 0n || after.serial > MAX_SERIAL)) {
    throw new WardenError('internal', 'internal error', { privateDetail: `serial ${after.serial} is out of range` });
  }
  const keyId = formatKeyId({ actor: plan.actor, requestId, decisionId: after.decisionId, posture: after.posture });
  return { ...plan, keyId, serial: after.serial };
}
