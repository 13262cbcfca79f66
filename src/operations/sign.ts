import { asWardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import { signQuestion } from '../policy/question.ts';
import { checkIssuedOffLoop } from '../signing/check-issued.ts';
import { finishPlan } from '../signing/finish-plan.ts';
import { planCertificate, ttlHours } from '../signing/plan.ts';
import { checkAuthorityPosture } from '../signing/posture-rule.ts';
import type { Certificate } from '../ssh/certificate.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { parsePublicKeyLine } from '../ssh/public-key.ts';
import { askGate, type GateOutcome } from './ask-gate.ts';
import { authorisedActor } from './authorised-actor.ts';
import { checkCeilingAfterGate } from './ceiling.ts';
import { checkPurpose } from './check-purpose.ts';
import { correlationOf, type RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import { checkQuota } from './quota.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

export interface SignInput {
  readonly actor: string;
  readonly publicKey: string;
  /** Seconds; 0 is the actor's default. */
  readonly ttlSeconds: number;
  readonly principals: readonly string[];
  readonly purpose: 'sign' | 'issue';
  readonly subject: string;
  readonly idToken: string;
  readonly reason: string;
  readonly ticket: string;
  /** Of `warden smoke policy`; "" is none. */
  readonly smokeId: string;
}

export interface SignOutput {
  readonly certificate: Certificate;
  /** Of the subject key. */
  readonly fingerprint: string;
  readonly ttlSeconds: number;
  readonly gate: GateOutcome;
  readonly backend: string;
  readonly receipt: LedgerReceipt;
}

/**
 * One certificate, from request to release. It reads top to bottom as its security argument: nothing below a
 * line runs unless every line above it held, and nothing is released that is not durable in the ledger.
 */
export async function sign(input: SignInput, context: RequestContext): Promise<SignOutput> {
  const { world, services, requestId, signal } = context;
  const { settings } = world.snapshot;
  const trail = new Trail(input.purpose, context);
  try {
    trail.note({
      actor: input.actor,
      ...(input.reason === '' ? {} : { user_reason: input.reason }),
      ...(input.ticket === '' ? {} : { ticket: input.ticket }),
      ...(input.smokeId === '' ? {} : { smoke_id: input.smokeId }),
    });
    const publicKey = parsePublicKeyLine(input.publicKey);
    const keyFingerprint = fingerprint(publicKey.blob);
    trail.note({ fingerprint: keyFingerprint });

    const actor = await authorisedActor(input.actor, context);
    checkStanding({ actor: actor.name, fingerprint: keyFingerprint }, context);
    await checkQuota('sign', actor, context);
    trail.note({ actor_type: actor.type, tenant: actor.tenant, backend: world.authority.backend });

    const plan = planCertificate({
      actor,
      publicKey,
      principals: input.principals,
      ttlSeconds: input.ttlSeconds,
      now: services.clock.now(),
      requestId,
    });
    trail.note({ principals: plan.principals, ttl_hours: ttlHours(plan.ttlSeconds) });

    checkAuthorityPosture(settings.posture, world.authority.keys());
    checkPurpose(input.purpose, world.authority);

    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });

    const gate = await askGate(
      signQuestion({
        actor,
        subject: subject.id,
        tenant: actor.tenant,
        system: settings.policy.system,
        principals: plan.principals,
        fingerprint: keyFingerprint,
        ttlHours: ttlHours(plan.ttlSeconds),
        reason: input.reason,
        ticket: input.ticket,
      }),
      context,
      trail,
    );
    checkCeilingAfterGate(plan, actor, settings.ttlCeilingsSeconds, gate.decisionId);

    const finished = finishPlan(plan, {
      decisionId: gate.decisionId,
      serial: world.authority.takesSerial ? services.serials.next() : null,
      posture: settings.posture,
    });
    const blob = await world.authority.certify(finished, {
      ...correlationOf(context),
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
    return {
      certificate,
      fingerprint: keyFingerprint,
      ttlSeconds: plan.ttlSeconds,
      gate,
      backend: world.authority.backend,
      receipt,
    };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}

export function rfc3339(seconds: bigint): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`;
}
