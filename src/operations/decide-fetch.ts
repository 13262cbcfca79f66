import type { Route } from '../access/route.ts';
import { routeQuestion } from '../access/route-question.ts';
import type { Actor } from '../inventory/actor.ts';
import type { Secret } from '../kernel/secret.ts';
import { clauseSentence } from '../posture/lattice.ts';
import type { GateOutcome } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import type { DecisionWalk } from './decision-walk.ts';
import { tierText } from './explain-owner.ts';
import { checkQuota, quotaNeeds, quotaOutcome, quotaWas } from './quota.ts';
import { routeEvidence } from './route-evidence.ts';
import {
  allowedRoute,
  checkConfinement,
  checkLattice,
  checkTier,
  fetchableFields,
  resolveActor,
} from './route-gate.ts';
import { checkStanding } from './standing.ts';
import type { Trail } from './trail.ts';

export interface FetchInput {
  readonly route: string;
  /** "": the one actor that admits the caller. */
  readonly actor: string;
  /** None: every field of the route. */
  readonly fields: readonly string[];
  /** Refuses where more than one field would be released. */
  readonly single: boolean;
  /** 0: the values themselves. */
  readonly wrapSeconds: number;
  /** The caller's own OpenBao token, for this one request; null: it has none. */
  readonly token: Secret | null;
  readonly subject: string;
  readonly idToken: string;
  readonly reason: string;
  readonly ticket: string;
}

export interface FetchDecision {
  readonly route: Route;
  readonly actor: Actor;
  /** Of the route, at least one. */
  readonly fields: readonly string[];
  readonly gate: GateOutcome;
}

/** Who the workload is. @throws WardenError where this caller may not ask for it */
export type Admit = (name: string, context: RequestContext) => Promise<Actor>;

/**
 * May this value be fetched? Nothing below a line runs unless every line above it held.
 * @throws WardenError what did not hold
 */
export async function decideFetch(
  input: FetchInput,
  context: RequestContext,
  trail: Trail,
  walk: DecisionWalk,
  admit: Admit = resolveActor,
): Promise<FetchDecision> {
  const { settings } = context.world.snapshot;
  trail.note({
    route: input.route,
    ...(input.actor === '' ? {} : { actor: input.actor }),
    ...(input.reason === '' ? {} : { user_reason: input.reason }),
    ...(input.ticket === '' ? {} : { ticket: input.ticket }),
  });

  walk.begin('actor', () =>
    input.actor === '' ? 'exactly one actor that admits this caller' : `a caller that ${input.actor} admits`,
  );
  const actor = await admit(input.actor, context);
  walk.held(() => `${actor.name}, maturity ${actor.maturity}`);

  walk.begin('standing', () => 'no lockdown, and the actor not revoked');
  checkStanding({ actor: actor.name }, context);
  walk.held(() => 'nothing is held back');

  walk.begin('quota', () => quotaNeeds('fetch', actor));
  await checkQuota('fetch', actor, context);
  trail.note({ actor: actor.name, actor_type: actor.type, tenant: actor.tenant, workload_maturity: actor.maturity });
  walk.held(() => quotaWas('fetch', actor, context), quotaOutcome('fetch', actor));

  walk.begin('route', () => 'a route that lists the actor');
  const route = await allowedRoute(input.route, actor, context);
  trail.note(routeEvidence(route));
  walk.held(() => `${route.id}: ${route.lane} of ${route.owner}, walked as ${route.as}`);

  walk.begin('fields', () => 'fields that the route hands over here');
  const fields = fetchableFields(route, input, context);
  walk.held(() => fields.join(', '));

  if (route.lane === 'tool') {
    walk.begin('confinement', () => 'a caller that is no more confined than the tool would be');
    checkConfinement(route.allowConfinedCaller, 'the tool', context);
    walk.held(() => (route.allowConfinedCaller ? 'the route allows confined callers' : 'as free as the daemon'));
  } else {
    walk.begin('confinement', () => 'nothing: no program is started');
    walk.held(() => 'not asked', 'not_asked');
  }

  walk.begin('lattice', () => `maturity ${route.secret.requiredMaturity}, and the floor of ${route.secret.dataClass}`);
  const lattice = checkLattice(route, actor, context);
  walk.held(() => lattice.clauses.map(clauseSentence).join('; '));

  walk.begin('tier', () => `a store of tier ${settings.posture}`);
  checkTier(route, context);
  walk.held(() => tierText(route, context));

  walk.begin('subject', () => `a subject among ${actor.allowedSubjects.join(', ')}`);
  const subject = await decideSubject(input, actor, context);
  trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });
  walk.held(() => subject.id);

  walk.begin('policy', () => 'an allow from the decision point');
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
  const gate = await walk.gate(question, context, trail);
  walk.gated();

  return { route, actor, fields, gate };
}
