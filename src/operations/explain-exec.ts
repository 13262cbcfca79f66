import { injectionText, type PlannedRoute } from '../access/injection-plan.ts';
import { locationFor, storePath } from '../access/route.ts';
import { routeQuestion } from '../access/route-question.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { clauseSentence } from '../posture/lattice.ts';
import { askGate, whomItAsks } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import { type ExecInput, routeIds } from './exec.ts';
import { admittedCommand, checkExecConfinement, plannedRoutes } from './exec-gate.ts';
import type { ExplainedStep, Explanation, StepOutcome } from './explain.ts';
import { routeEvidence } from './fetch.ts';
import { checkQuota, quotaNeeds, quotaWas } from './quota.ts';
import { checkLattice, checkTier, resolveActor } from './route-gate.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

const STEPS = [
  'caller',
  'actor',
  'standing',
  'route',
  'quota',
  'confinement',
  'command',
  'lattice',
  'tier',
  'subject',
  'policy',
  'owner',
  'ledger',
];

/**
 * The decision of one exec, step by step, without its effect: no owner is asked, nothing is started, and the decision
 * point is asked only where `ask` says so (then it is recorded). It walks the very functions that `exec` walks, in the
 * same order.
 */
export async function explainExec(input: ExecInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  const { world, services, connection } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('explain', context);
  trail.note({ route: routeIds(input).join(','), argv_hmac: services.ledger.argvHmac(input.argv) });
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

    needs = 'exec-capable routes that list the actor, and a place for each value';
    const planned = await plannedRoutes(input, actor, context);
    held(needs, planned.map(routeText).join('; '));

    needs = quotaNeeds('exec', actor);
    await checkQuota('exec', actor, context, planned.length);
    held(needs, quotaWas('exec', actor, context), actor.quota?.exec === undefined ? 'not_asked' : 'held');

    needs = 'a caller that is no more confined than the command would be';
    checkExecConfinement(planned, context);
    held(needs, 'as free as the daemon, or exempt by every route');

    needs = 'a program that is there, and that each route with a list of commands admits';
    const command = await admittedCommand(planned, input, context);
    trail.note({ command: command.program });
    const lists = planned.filter(({ route }) => route.commands !== null).length;
    held(needs, `${command.program}, ${lists === 0 ? 'any command may run' : 'as listed'}`);

    const several = (text: (one: PlannedRoute) => string): string => {
      const [only] = planned;
      return planned.length === 1 && only !== undefined
        ? text(only)
        : planned.map((one) => `${one.route.id}: ${text(one)}`).join('; ');
    };
    needs = several(
      ({ route: { secret } }) => `maturity ${secret.requiredMaturity}, and the floor of ${secret.dataClass}`,
    );
    held(
      needs,
      several(({ route }) => checkLattice(route, actor, context).clauses.map(clauseSentence).join('; ')),
    );

    needs = `a store of tier ${settings.posture}`;
    for (const { route } of planned) checkTier(route, context);
    held(
      needs,
      several(({ route }) => (route.lane === 'tool' ? "the owner's own" : `${world.lanes.store?.tier}`)),
    );

    needs = `a subject among ${actor.allowedSubjects.join(', ')}`;
    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id });
    held(needs, subject.id);

    needs = 'an allow from the decision point for each route';
    if (world.gate === null || !settings.policy.gate.includes('exec')) {
      trail.note({ policy_effect: 'not_asked' });
      held('nothing: the gate is off for exec', 'not asked', 'not_asked');
    } else {
      const said: string[] = [];
      for (const { route } of planned) {
        const question = routeQuestion({
          action: 'exec',
          route,
          actor,
          subject: subject.id,
          system: settings.policy.system,
          posture: settings.posture,
          command: command.program,
          reason: input.reason,
          ticket: input.ticket,
        });
        const cached = ask ? null : world.gate.peek(question);
        if (ask) {
          trail.note(routeEvidence(route));
          const gate = await askGate(question, context, trail);
          decisionId = gate.decisionId;
          if (gate.effect === 'fault') verdict = 'fault';
          said.push(`${route.id}: ${gate.effect} ${gate.decisionId ?? ''} ${gate.reason}`.trim());
        } else if (cached === null) {
          if (verdict === 'allowed') verdict = 'would_ask';
          said.push(`${route.id}: would ask ${await whomItAsks(context)}; --ask asks for real`);
        } else {
          decisionId = cached.id;
          if (cached.effect === 'deny') verdict = 'refused';
          said.push(`${route.id}: ${cached.effect} ${cached.id} ${cached.reason} (cached)`);
        }
      }
      held(needs, said.join('; '), verdict === 'would_ask' ? 'would_ask' : 'held');
    }

    const double = world.lanes.store?.double === true;
    const own = planned.some(({ route }) => route.lane !== 'tool' && route.as === 'caller') && !double;
    needs = own ? 'your own OpenBao token' : 'nothing more of you';
    if (own && input.token === null) {
      throw new WardenError('token_missing', 'a route is walked with your own OpenBao token, and there is none');
    }
    held(
      needs,
      several(({ route }) => {
        if (route.tool !== null) return `would run ${route.tool.argv.join(' ')} as uid ${caller.uid}`;
        const location = locationFor(route, settings.posture);
        if (location === null) return '';
        const as = double ? '(synthetic values)' : `as ${route.as === 'caller' ? 'you' : 'the daemon'}`;
        return `would read ${storePath(route.lane, location)} ${as}`;
      }),
    );

    const receipt = ask ? await services.ledger.appendRefusal(trail.entry('ok')) : null;
    held('a ledger that can be written', ask ? 'recorded' : 'not written: nothing was started');
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

function routeText({ route, injections }: PlannedRoute): string {
  return `${route.id}: ${route.lane} of ${route.owner}, walked as ${route.as}; ${injections.map(injectionText).join(', ')}`;
}
