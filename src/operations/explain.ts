import { mayAsk, nearestMiss } from '../callers/match.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { asWardenError, type WardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import { signQuestion } from '../policy/question.ts';
import { planCertificate, ttlHours } from '../signing/plan.ts';
import { checkAuthorityPosture } from '../signing/posture-rule.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { parsePublicKeyLine } from '../ssh/public-key.ts';
import { askGate, whomItAsks } from './ask-gate.ts';
import { authorisedActor, isAdministrator, selectorFacts } from './authorised-actor.ts';
import { checkCeilingAfterGate } from './ceiling.ts';
import { checkPurpose } from './check-purpose.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import { checkQuota, quotaNeeds, quotaWas } from './quota.ts';
import type { SignInput } from './sign.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

export type StepOutcome = 'held' | 'failed' | 'not_reached' | 'not_asked' | 'would_ask';

export interface ExplainedStep {
  readonly name: string;
  readonly outcome: StepOutcome;
  readonly needed: string;
  readonly was: string;
}

export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly verdict: 'allowed' | 'refused' | 'would_ask' | 'fault';
  readonly error: WardenError | null;
  readonly decisionId: string | null;
  readonly receipt: LedgerReceipt | null;
}

const STEPS = [
  'caller',
  'key',
  'callers',
  'standing',
  'quota',
  'plan',
  'posture',
  'subject',
  'policy',
  'ceiling',
  'authority',
  'ledger',
];

/**
 * The decision of one sign, step by step, without its effect: nothing is certified, nothing is released, and
 * the decision point is asked only where `ask` says so (then it is recorded). It walks the very functions that
 * `sign` walks, in the same order.
 */
export async function explainSign(input: SignInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  const { world, services, requestId, connection } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('explain', context);
  trail.note({ actor: input.actor });
  const steps: ExplainedStep[] = [];
  let at = 0;
  const held = (needed: string, was: string, outcome: StepOutcome = 'held'): void => {
    steps.push({ name: STEPS[at++] ?? '', outcome, needed, was });
  };
  let needs = '';
  let verdict: Explanation['verdict'] = 'allowed';
  let decisionId: string | null = null;
  try {
    const { caller } = connection;
    held(
      'a live process, attested when it connected',
      `uid ${caller.uid}, pid ${caller.pid}, ${caller.exe ?? 'executable unreadable'}`,
    );

    needs = 'one OpenSSH public key line';
    const publicKey = parsePublicKeyLine(input.publicKey);
    const keyFingerprint = fingerprint(publicKey.blob);
    held(needs, `${publicKey.algorithm} ${keyFingerprint}`);

    needs = await describeCallers(input.actor, context);
    const actor = await authorisedActor(input.actor, context);
    trail.note({ actor_type: actor.type, tenant: actor.tenant, fingerprint: keyFingerprint });
    held(needs, `this caller may ask for ${actor.name}`);

    needs = 'no lockdown, and neither the actor nor the key revoked';
    checkStanding({ actor: actor.name, fingerprint: keyFingerprint }, context);
    held(needs, 'nothing is held back');

    needs = quotaNeeds('sign', actor);
    await checkQuota('sign', actor, context);
    held(needs, quotaWas('sign', actor, context), actor.quota?.sign === undefined ? 'not_asked' : 'held');

    needs = `principals among ${actor.principals.join(', ')}`;
    const plan = planCertificate({
      actor,
      publicKey,
      principals: input.principals,
      ttlSeconds: input.ttlSeconds,
      now: services.clock.now(),
      requestId,
    });
    held(needs, `${plan.principals.join(', ')} for ${formatSeconds(plan.ttlSeconds)}`);

    needs = `an authority that the ${settings.posture} posture permits`;
    checkAuthorityPosture(settings.posture, world.authority.keys());
    checkPurpose(input.purpose, world.authority);
    held(needs, `${world.authority.backend} authority`);

    needs = `a subject among ${actor.allowedSubjects.join(', ')}`;
    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id });
    held(needs, subject.id);

    needs = 'an allow from the decision point';
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
    const cached = world.gate?.peek(question) ?? null;
    if (ask || world.gate === null || !settings.policy.gate.includes('sign')) {
      const gate = await askGate(question, context, trail);
      decisionId = gate.decisionId;
      if (gate.effect === 'fault') verdict = 'fault';
      if (gate.effect === 'not_asked') held('nothing: the gate is off for sign', 'not asked', 'not_asked');
      else
        held(needs, `${gate.effect} ${gate.decisionId ?? ''} ${gate.reason}${gate.cached ? ' (cached)' : ''}`.trim());
    } else if (cached !== null) {
      decisionId = cached.id;
      held(needs, `${cached.effect} ${cached.id} ${cached.reason} (cached)`);
    } else {
      verdict = 'would_ask';
      held(needs, `would ask ${await whomItAsks(context)}; --ask asks for real`, 'would_ask');
    }

    needs = `at most ${formatSeconds(Math.min(actor.maxTtlSeconds, settings.ttlCeilingsSeconds[actor.type]))}`;
    checkCeilingAfterGate(plan, actor, settings.ttlCeilingsSeconds, decisionId);
    held(needs, formatSeconds(plan.ttlSeconds));

    needs = 'a certificate authority that can sign now';
    await world.authority.ready();
    held(needs, `${world.authority.backend} authority is ready`);

    const receipt = ask ? await services.ledger.appendRefusal(trail.entry('ok')) : null;
    held('a ledger that can be written', ask ? 'recorded' : 'not written: nothing was released');
    return { steps, verdict, error: null, decisionId, receipt };
  } catch (thrown) {
    let error = asWardenError(thrown);
    if (error.code === 'internal') throw error;
    if (ask) error = await trail.refuse(error);
    steps.push({ name: STEPS[at++] ?? '', outcome: 'failed', needed: needs, was: error.message });
    for (; at < STEPS.length; at++) steps.push({ name: STEPS[at] ?? '', outcome: 'not_reached', needed: '', was: '' });
    const fault = error.kind === 'unavailable';
    return {
      steps,
      verdict: fault ? 'fault' : 'refused',
      error,
      decisionId: error.details.decisionId ?? decisionId,
      receipt: error.details.ledgerSeq === undefined ? null : { seq: error.details.ledgerSeq, time: '' },
    };
  }
}

/** What `callers:` wants, and the nearest entry that did not match: for administrators and those it admits. */
async function describeCallers(name: string, context: RequestContext): Promise<string> {
  const hidden = 'a caller that the actor admits';
  const actor = context.world.snapshot.actors.get(name);
  if (actor === undefined) return (await isAdministrator(context)) ? `an actor named ${name} in the inventory` : hidden;
  const facts = await selectorFacts(context);
  const { caller } = context.connection;
  const { daemonUid } = context.services.facts;
  if (mayAsk(actor.callers, caller, daemonUid, facts)) return `an entry of callers: on ${name} that matches`;
  if (!(await isAdministrator(context))) return hidden;
  const selectors = actor.callers ?? [{ uid: daemonUid }];
  const nearest = nearestMiss(selectors, caller, facts);
  if (nearest === null) return `an entry of callers: on ${name}, which has none`;
  const failed = nearest.failed.map(({ key, wanted, had }) => `${key} ${wanted} (was ${had})`);
  return `callers[${nearest.index}] of ${name} came nearest; it wants ${failed.join(' and ')}`;
}
