import { locationFor, storePath } from '../access/route.ts';
import { routeQuestion } from '../access/route-question.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { clauseSentence } from '../posture/lattice.ts';
import { askGate, whomItAsks } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import type { ExplainedStep, Explanation, StepOutcome } from './explain.ts';
import { type FetchInput, routeEvidence } from './fetch.ts';
import { checkQuota, quotaNeeds, quotaWas } from './quota.ts';
import {
  allowedRoute,
  checkConfinement,
  checkLattice,
  checkTier,
  fetchableFields,
  resolveActor,
} from './route-gate.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

const STEPS = [
  'caller',
  'actor',
  'standing',
  'quota',
  'route',
  'fields',
  'confinement',
  'lattice',
  'tier',
  'subject',
  'policy',
  'owner',
  'ledger',
];

/**
 * The decision of one fetch, step by step, without its effect: the owner is not asked, nothing is released, and the
 * decision point is asked only where `ask` says so (then it is recorded). It walks the very functions that
 * `fetchSecret` walks, in the same order.
 */
export async function explainFetch(input: FetchInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  const { world, services, connection } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('explain', context);
  trail.note({ route: input.route });
  const steps: ExplainedStep[] = [];
  let needs = '';
  let verdict: Explanation['verdict'] = 'allowed';
  let decisionId: string | null = null;
  const held = (needed: string, was: string, outcome: StepOutcome = 'held'): void => {
    steps.push({ name: STEPS[steps.length] ?? '', outcome, needed, was });
  };
  try {
    const { caller } = connection;
    held(
      'a live process, attested when it connected',
      `uid ${caller.uid}, pid ${caller.pid}, ${caller.exe ?? 'executable unreadable'}`,
    );

    needs = input.actor === '' ? 'exactly one actor that admits this caller' : `a caller that ${input.actor} admits`;
    const actor = await resolveActor(input.actor, context);
    trail.note({ actor: actor.name, actor_type: actor.type, tenant: actor.tenant, workload_maturity: actor.maturity });
    held(needs, `${actor.name}, maturity ${actor.maturity}`);

    needs = 'no lockdown, and the actor not revoked';
    checkStanding({ actor: actor.name }, context);
    held(needs, 'nothing is held back');

    needs = quotaNeeds('fetch', actor);
    await checkQuota('fetch', actor, context);
    held(needs, quotaWas('fetch', actor, context), actor.quota?.fetch === undefined ? 'not_asked' : 'held');

    needs = 'a route that lists the actor';
    const route = await allowedRoute(input.route, actor, context);
    trail.note(routeEvidence(route));
    held(needs, `${route.id}: ${route.lane} of ${route.owner}, walked as ${route.as}`);

    needs = 'fields that the route hands over here';
    const fields = fetchableFields(route, input, context);
    held(needs, fields.join(', '));

    needs = 'a caller that is no more confined than the tool would be';
    if (route.lane === 'tool') {
      checkConfinement(route.allowConfinedCaller, 'the tool', context);
      held(needs, route.allowConfinedCaller ? 'the route allows confined callers' : 'as free as the daemon');
    } else held('nothing: no program is started', 'not asked', 'not_asked');

    needs = `maturity ${route.secret.requiredMaturity}, and the floor of ${route.secret.dataClass}`;
    const lattice = checkLattice(route, actor, context);
    held(needs, lattice.clauses.map(clauseSentence).join('; '));

    needs = `a store of tier ${settings.posture}`;
    checkTier(route, context);
    held(needs, route.lane === 'tool' ? "the owner's own" : `${world.lanes.store?.tier}`);

    needs = `a subject among ${actor.allowedSubjects.join(', ')}`;
    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id });
    held(needs, subject.id);

    needs = 'an allow from the decision point';
    const question = routeQuestion({
      action: 'fetch',
      route,
      actor,
      subject: subject.id,
      system: settings.policy.system,
      posture: settings.posture,
      reason: input.reason,
      ticket: input.ticket,
    });
    const cached = world.gate?.peek(question) ?? null;
    if (ask || world.gate === null || !settings.policy.gate.includes('fetch')) {
      const gate = await askGate(question, context, trail);
      decisionId = gate.decisionId;
      if (gate.effect === 'fault') verdict = 'fault';
      if (gate.effect === 'not_asked') held('nothing: the gate is off for fetch', 'not asked', 'not_asked');
      else
        held(needs, `${gate.effect} ${gate.decisionId ?? ''} ${gate.reason}${gate.cached ? ' (cached)' : ''}`.trim());
    } else if (cached !== null) {
      decisionId = cached.id;
      held(needs, `${cached.effect} ${cached.id} ${cached.reason} (cached)`);
      if (cached.effect === 'deny') verdict = 'refused';
    } else {
      verdict = 'would_ask';
      held(needs, `would ask ${await whomItAsks(context)}; --ask asks for real`, 'would_ask');
    }

    const double = world.lanes.store?.double === true;
    const own = route.lane !== 'tool' && route.as === 'caller' && !double;
    needs = own ? 'your own OpenBao token' : 'nothing more of you';
    if (own && input.token === null) {
      throw new WardenError('token_missing', 'the route is walked with your own OpenBao token, and there is none');
    }
    const location = locationFor(route, settings.posture);
    const where =
      route.tool !== null
        ? `would run ${route.tool.argv.join(' ')} as uid ${caller.uid}`
        : location === null
          ? ''
          : `would read ${storePath(route.lane, location)} ${double ? '(synthetic values)' : `as ${route.as === 'caller' ? 'you' : 'the daemon'}`}`;
    held(needs, where);

    const receipt = ask ? await services.ledger.appendRefusal(trail.entry('ok')) : null;
    held('a ledger that can be written', ask ? 'recorded' : 'not written: nothing was released');
    return { steps, verdict, error: null, decisionId, receipt };
  } catch (thrown) {
    let error = asWardenError(thrown);
    if (error.code === 'internal') throw error;
    if (ask) error = await trail.refuse(error);
    steps.push({ name: STEPS[steps.length] ?? '', outcome: 'failed', needed: needs, was: error.message });
    for (const name of STEPS.slice(steps.length)) steps.push({ name, outcome: 'not_reached', needed: '', was: '' });
    return {
      steps,
      verdict: error.kind === 'unavailable' ? 'fault' : 'refused',
      error,
      decisionId: error.details.decisionId ?? decisionId,
      receipt: error.details.ledgerSeq === undefined ? null : { seq: error.details.ledgerSeq, time: '' },
    };
  } finally {
    input.token?.dispose();
  }
}
