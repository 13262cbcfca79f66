import type { LedgerReceipt } from '../ledger/record.ts';
import { checkIssuedOffLoop } from '../signing/check-issued.ts';
import { finishPlan } from '../signing/finish-plan.ts';
import type { DraftPlan } from '../signing/plan.ts';
import type { Certificate } from '../ssh/certificate.ts';
import type { GateOutcome } from './ask-gate.ts';
import { correlationOf, type RequestContext } from './context.ts';
import type { Trail } from './trail.ts';

/**
 * The effect of a signature that was decided on: the authority makes the certificate, it is checked to be the one
 * that was planned, and it is on record before anybody has it.
 * @throws WardenError ca_unavailable | ca_refused | ca_mismatch, and as Trail.release
 */
export async function issueCertificate(
  plan: DraftPlan,
  gate: GateOutcome,
  context: RequestContext,
  trail: Trail,
): Promise<{ certificate: Certificate; receipt: LedgerReceipt }> {
  const { world, services, signal } = context;
  const finished = finishPlan(plan, {
    decisionId: gate.decisionId,
    serial: world.authority.takesSerial ? services.serials.next() : null,
    posture: world.snapshot.settings.posture,
  });
  const blob = await world.authority.certify(finished, {
    requestId: context.requestId,
    correlation: correlationOf(context),
    signal,
    note: (evidence) => trail.note(evidence),
  });
  const certificate = await checkIssuedOffLoop(blob, finished, world.authority);

  const receipt = await trail.release({
    certificate_issued: true,
    serial: String(certificate.serial),
    key_id: certificate.keyId,
    valid_after: rfc3339(certificate.validAfter),
    valid_before: rfc3339(certificate.validBefore),
  });
  services.counters.certificatesIssued += 1;
  if (gate.opened) services.breakGlass.countRelease();
  return { certificate, receipt };
}

function rfc3339(seconds: bigint): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`;
}
