import type { Variable } from '../access/command-environment.ts';
import type { PinnedFile } from '../access/command-files.ts';
import type { Terminal } from '../access/command-runner.ts';
import { injectionText, type PlannedRoute, type Reference } from '../access/injection-plan.ts';
import { routeQuestion } from '../access/route-question.ts';
import type { Actor } from '../inventory/actor.ts';
import type { Secret } from '../kernel/secret.ts';
import { clauseSentence } from '../posture/lattice.ts';
import type { GateOutcome } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import type { DecisionWalk, OnRecord } from './decision-walk.ts';
import { type AdmittedCommand, admittedCommand, checkExecConfinement, plannedRoutes } from './exec-gate.ts';
import { tierText } from './explain-owner.ts';
import { checkQuota, quotaNeeds, quotaOutcome, quotaWas } from './quota.ts';
import { routeEvidence } from './route-evidence.ts';
import { checkLattice, checkTier, latticeVerdict, resolveActor } from './route-gate.ts';
import { checkStanding } from './standing.ts';
import type { Trail } from './trail.ts';

export interface ExecInput {
  /** Ids, each with all that its `inject` says. */
  readonly routes: readonly string[];
  /** Single fields as variables. */
  readonly references: readonly Reference[];
  /** "": the one actor that admits the caller. */
  readonly actor: string;
  /** At least the command. */
  readonly argv: readonly string[];
  readonly environment: readonly Variable[];
  readonly additions: readonly Variable[];
  readonly pristine: boolean;
  readonly noMask: boolean;
  readonly noNetwork: boolean;
  /** Null: three pipes. */
  readonly terminal: Terminal | null;
  readonly jobControl: boolean;
  readonly stdin: boolean;
  /** The caller's own OpenBao token, for as long as the command runs; null: it has none. */
  readonly token: Secret | null;
  readonly subject: string;
  readonly idToken: string;
  readonly reason: string;
  readonly ticket: string;
}

/** One route on its way to the command, with a record of its own. */
export interface AdmittedRoute extends PlannedRoute {
  readonly trail: Trail;
  readonly gate: GateOutcome;
}

export interface ExecDecision {
  readonly actor: Actor;
  readonly command: AdmittedCommand;
  readonly admitted: readonly AdmittedRoute[];
}

/**
 * May this command be started with these values? Nothing below a line runs unless every line above it held for each
 * of the routes. `at` follows the route that is looked at, and is back where it was at the end.
 * What the command is pinned to is the receiver's to close.
 * @throws WardenError what did not hold
 */
export async function decideExec(
  input: ExecInput,
  context: RequestContext,
  at: OnRecord,
  walk: DecisionWalk,
): Promise<ExecDecision> {
  const held: { pinned: PinnedFile | null } = { pinned: null };
  try {
    return await decide(input, context, at, walk, held);
  } catch (error) {
    held.pinned?.close();
    throw error;
  }
}

async function decide(
  input: ExecInput,
  context: RequestContext,
  at: OnRecord,
  walk: DecisionWalk,
  held: { pinned: PinnedFile | null },
): Promise<ExecDecision> {
  const { world, services } = context;
  const { settings } = world.snapshot;
  const { trail } = at;
  trail.note({
    route: routeIds(input).join(','),
    ...(input.actor === '' ? {} : { actor: input.actor }),
    argv_hmac: services.ledger.argvHmac(input.argv),
    ...(input.reason === '' ? {} : { user_reason: input.reason }),
    ...(input.ticket === '' ? {} : { ticket: input.ticket }),
  });

  walk.begin('actor', () =>
    input.actor === '' ? 'exactly one actor that admits this caller' : `a caller that ${input.actor} admits`,
  );
  const actor = await resolveActor(input.actor, context);
  walk.held(() => `${actor.name}, maturity ${actor.maturity}`);

  walk.begin('standing', () => 'no lockdown, and the actor not revoked');
  checkStanding({ actor: actor.name }, context);
  trail.note({ actor: actor.name, actor_type: actor.type, tenant: actor.tenant, workload_maturity: actor.maturity });
  walk.held(() => 'nothing is held back');

  walk.begin('route', () => 'exec-capable routes that list the actor, and a place for each value');
  const planned = await plannedRoutes(input, actor, context);
  walk.held(() => planned.map(routeText).join('; '));

  walk.begin('quota', () => quotaNeeds('exec', actor));
  await checkQuota('exec', actor, context, planned.length);
  walk.held(() => quotaWas('exec', actor, context), quotaOutcome('exec', actor));

  walk.begin('confinement', () => 'a caller that is no more confined than the command would be');
  checkExecConfinement(planned, context);
  walk.held(() => 'as free as the daemon, or exempt by every route');

  walk.begin('command', () => 'a program that is there, and that each route with a list of commands admits');
  const command = await admittedCommand(planned, input, context);
  held.pinned = command.pinned;
  trail.note({ command: command.program });
  const listed = planned.some(({ route }) => route.commands !== null);
  const copied = command.pinned !== null && command.pinned.copy !== null ? ', from a copy of the pinned bytes' : '';
  walk.held(() => `${command.program}, ${listed ? 'as listed' : 'any command may run'}${copied}`);

  walk.begin('lattice', () =>
    eachRoute(
      planned,
      ({ route: { secret } }) => `maturity ${secret.requiredMaturity}, and the floor of ${secret.dataClass}`,
    ),
  );
  for (const { route } of planned) {
    at.trail = trail.fork({ route: route.id, ...routeEvidence(route) });
    checkLattice(route, actor, context);
  }
  walk.held(() =>
    eachRoute(planned, ({ route }) => latticeVerdict(route, actor, context).clauses.map(clauseSentence).join('; ')),
  );

  walk.begin('tier', () => `a store of tier ${settings.posture}`);
  for (const { route } of planned) {
    at.trail = trail.fork({ route: route.id, ...routeEvidence(route) });
    checkTier(route, context);
  }
  at.trail = trail;
  walk.held(() => eachRoute(planned, ({ route }) => tierText(route, context)));

  walk.begin('subject', () => `a subject among ${actor.allowedSubjects.join(', ')}`);
  const subject = await decideSubject(input, actor, context);
  trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });
  walk.held(() => subject.id);

  walk.begin('policy', () => 'an allow from the decision point for each route');
  const admitted: AdmittedRoute[] = [];
  for (const one of planned) {
    const { route } = one;
    const own = trail.fork({ route: route.id, ...routeEvidence(route) });
    at.trail = own;
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
    admitted.push({ ...one, trail: own, gate: await walk.gate(question, context, own, route.id) });
  }
  at.trail = trail;
  walk.gated();

  return { actor, command, admitted };
}

/** Each once, in the order asked for. */
export function routeIds({ routes, references }: Pick<ExecInput, 'routes' | 'references'>): string[] {
  return [...new Set([...routes, ...references.map(({ route }) => route)])];
}

/** The same said of each route, under its name where there are several. */
export function eachRoute(routes: readonly PlannedRoute[], text: (one: PlannedRoute) => string): string {
  const [only] = routes;
  if (routes.length === 1 && only !== undefined) return text(only);
  return routes.map((one) => `${one.route.id}: ${text(one)}`).join('; ');
}

function routeText({ route, injections }: PlannedRoute): string {
  return `${route.id}: ${route.lane} of ${route.owner}, walked as ${route.as}; ${injections.map(injectionText).join(', ')}`;
}
