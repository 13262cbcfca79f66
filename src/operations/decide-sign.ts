import type { Actor } from '../inventory/actor.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { signQuestion } from '../policy/question.ts';
import { type DraftPlan, planCertificate, ttlHours } from '../signing/plan.ts';
import { checkAuthorityPosture } from '../signing/posture-rule.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { parsePublicKeyLine } from '../ssh/public-key.ts';
import type { GateOutcome } from './ask-gate.ts';
import { authorisedActor } from './authorised-actor.ts';
import { checkCeilingAfterGate } from './ceiling.ts';
import { checkPurpose } from './check-purpose.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import type { DecisionWalk } from './decision-walk.ts';
import { describeCallers } from './describe-callers.ts';
import { checkQuota, quotaNeeds, quotaOutcome, quotaWas } from './quota.ts';
import { checkStanding } from './standing.ts';
import type { Trail } from './trail.ts';

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

export interface SignDecision {
  readonly actor: Actor;
  readonly plan: DraftPlan;
  /** Of the subject key. */
  readonly fingerprint: string;
  readonly gate: GateOutcome;
}

/**
 * May this certificate be made? Nothing below a line runs unless every line above it held.
 * @throws WardenError what did not hold
 */
export async function decideSign(
  input: SignInput,
  context: RequestContext,
  trail: Trail,
  walk: DecisionWalk,
): Promise<SignDecision> {
  const { world, services, requestId } = context;
  const { settings } = world.snapshot;
  trail.note({
    actor: input.actor,
    ...(input.reason === '' ? {} : { user_reason: input.reason }),
    ...(input.ticket === '' ? {} : { ticket: input.ticket }),
    ...(input.smokeId === '' ? {} : { smoke_id: input.smokeId }),
  });

  walk.begin('key', () => 'one OpenSSH public key line');
  const publicKey = parsePublicKeyLine(input.publicKey);
  const keyFingerprint = fingerprint(publicKey.blob);
  trail.note({ fingerprint: keyFingerprint });
  walk.held(() => `${publicKey.algorithm} ${keyFingerprint}`);

  walk.begin('callers', () => describeCallers(input.actor, context));
  const actor = await authorisedActor(input.actor, context);
  walk.held(() => `this caller may ask for ${actor.name}`);

  walk.begin('standing', () => 'no lockdown, and neither the actor nor the key revoked');
  checkStanding({ actor: actor.name, fingerprint: keyFingerprint }, context);
  walk.held(() => 'nothing is held back');

  walk.begin('quota', () => quotaNeeds('sign', actor));
  await checkQuota('sign', actor, context);
  trail.note({ actor_type: actor.type, tenant: actor.tenant, backend: world.authority.backend });
  walk.held(() => quotaWas('sign', actor, context), quotaOutcome('sign', actor));

  walk.begin('plan', () => `principals among ${actor.principals.join(', ')}`);
  const plan = planCertificate({
    actor,
    publicKey,
    principals: input.principals,
    ttlSeconds: input.ttlSeconds,
    now: services.clock.now(),
    requestId,
  });
  trail.note({ principals: plan.principals, ttl_hours: ttlHours(plan.ttlSeconds) });
  walk.held(() => `${plan.principals.join(', ')} for ${formatSeconds(plan.ttlSeconds)}`);

  walk.begin('posture', () => `an authority that the ${settings.posture} posture permits`);
  checkAuthorityPosture(settings.posture, world.authority.keys());
  checkPurpose(input.purpose, world.authority);
  walk.held(() => `${world.authority.backend} authority`);

  walk.begin('subject', () => `a subject among ${actor.allowedSubjects.join(', ')}`);
  const subject = await decideSubject(input, actor, context);
  trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });
  walk.held(() => subject.id);

  walk.begin('policy', () => 'an allow from the decision point');
  const question = signQuestion({
    actor,
    subject: subject.id,
    tenant: actor.tenant,
    system: settings.policy.system,
    principals: plan.principals,
    fingerprint: keyFingerprint,
    ttlHours: ttlHours(plan.ttlSeconds),
    reason: input.reason,
    ticket: input.ticket,
  });
  const gate = await walk.gate(question, context, trail);
  walk.gated();

  const ceilings = settings.ttlCeilingsSeconds;
  walk.begin('ceiling', () => `at most ${formatSeconds(Math.min(actor.maxTtlSeconds, ceilings[actor.type]))}`);
  checkCeilingAfterGate(plan, actor, ceilings, gate.decisionId);
  walk.held(() => formatSeconds(plan.ttlSeconds));

  return { actor, plan, fingerprint: keyFingerprint, gate };
}
