import { tighter } from '../access/confinement.ts';
import { fieldsOf, type Route } from '../access/route.ts';
import { mayAsk } from '../callers/match.ts';
import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import { postureRow } from '../posture/descriptor.ts';
import { canRelease, refusalSentence, type Verdict } from '../posture/lattice.ts';
import { authorisedActor, isAdministrator, selectorFacts } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';

/** Names shown where several actors could be meant. */
const MAX_NAMES = 20;

/**
 * The actor whom the caller asks for: the one it names, else the only one that admits it. The refusal of a caller
 * whom nobody admits is, byte for byte, the one of a caller who names somebody else's actor.
 * @throws WardenError caller_not_allowed | invalid_request listing the actors that could be meant
 */
export async function resolveActor(name: string, context: RequestContext): Promise<Actor> {
  if (name !== '') return authorisedActor(name, context);
  const usable = await usableActors(context);
  const [only] = usable;
  if (only === undefined) return authorisedActor('', context);
  if (usable.length === 1) return only;
  const names = usable.slice(0, MAX_NAMES).map((actor) => actor.name);
  const more = usable.length - names.length;
  throw new WardenError('invalid_request', 'you may ask for several actors, and the workload must be one of them', {
    hint: `say which with --actor: ${names.join(', ')}${more > 0 ? ` or one of ${more} more` : ''}`,
  });
}

/** The actors that admit this caller. */
export async function usableActors(context: RequestContext): Promise<Actor[]> {
  const facts = await selectorFacts(context);
  const { caller } = context.connection;
  const { daemonUid } = context.services.facts;
  return [...context.world.snapshot.actors.values()].filter(({ callers }) => mayAsk(callers, caller, daemonUid, facts));
}

/**
 * The route, if this actor may ask for it. The refusal is the same, byte for byte, whether the route is missing or
 * merely another's: its cause goes to administrators alone.
 * @throws WardenError route_not_allowed
 */
export async function allowedRoute(id: string, actor: Actor, context: RequestContext): Promise<Route> {
  const route = context.world.snapshot.routes.get(id);
  if (route?.actors.includes(actor.name) === true) return route;
  const cause =
    route === undefined ? `no route ${id} in the catalogue` : `actors: of ${id} does not list ${actor.name}`;
  throw new WardenError('route_not_allowed', 'this actor may not ask for that route', {
    privateDetail: cause,
    ...((await isAdministrator(context)) ? { hint: `${cause}; see routes.yaml` } : {}),
  });
}

/**
 * What of the route is asked for, against what it can do here.
 * @throws WardenError route_unusable | invalid_request
 */
export function fetchableFields(
  route: Route,
  asked: { readonly fields: readonly string[]; readonly single: boolean; readonly wrapSeconds: number },
  { world }: RequestContext,
): readonly string[] {
  const { posture, openbao = null } = world.snapshot.settings;
  if (!route.fetchCapable) {
    throw new WardenError('route_unusable', 'the route does not hand its value over', {
      hint: route.execCapable ? 'run a command with it: warden exec' : 'fetch_capable of the route is false',
    });
  }
  if (route.lane === 'tool' && asked.wrapSeconds > 0) {
    throw new WardenError('route_unusable', 'the value of a tool cannot be wrapped: no store has it in its keeping', {
      hint: 'leave --wrap-ttl out',
    });
  }
  const known = fieldsOf(route, posture);
  if (known.length === 0) {
    throw new WardenError('route_unusable', `the route has no place in posture ${posture}`, {
      hint: `give it a location.${posture} in routes.yaml`,
    });
  }
  if (route.lane !== 'tool' && posture !== 'dev' && openbao === null) {
    throw new WardenError('route_unusable', 'no OpenBao is configured', { hint: 'set openbao: in warden.yaml' });
  }
  const unknown = asked.fields.find((field) => !known.includes(field));
  if (unknown !== undefined) {
    throw new WardenError('invalid_request', 'the route has no such field', { hint: `it has ${known.join(', ')}` });
  }
  const fields = asked.fields.length === 0 ? known : [...new Set(asked.fields)];
  if (asked.single && fields.length > 1) {
    throw new WardenError('invalid_request', 'the route has several fields, and one value was asked for', {
      hint: `say which with --field: ${fields.join(', ')}; or --json for all`,
    });
  }
  return fields;
}

/**
 * What the daemon starts for a caller runs outside whatever holds the caller: it must be no way out. `exempt`: the
 * route says that a confined caller may ask.
 * @throws WardenError caller_confined | caller_gone
 */
export function checkConfinement(
  exempt: boolean,
  what: 'the tool' | 'the command',
  { world, connection }: RequestContext,
): void {
  const { confinement } = world.lanes;
  const caller = confinement.of(connection.caller.pid);
  // Only now is it known that the pid was this process's all the while that /proc was read.
  if (connection.check() !== 'alive') throw new WardenError('caller_gone', 'the calling process is gone');
  if (exempt) return;
  const found =
    caller === null ? ['a process that cannot be seen'] : tighter(caller, confinement.own(), confinement.init());
  if (found.length === 0) return;
  throw new WardenError('caller_confined', `the caller is more confined than ${what} would be: ${found.join(', ')}`);
}

/**
 * The owner may have taken its time: a value goes to the process that asked, not to whoever holds its socket now.
 * @throws WardenError caller_gone | caller_changed
 */
export function checkStillThere({ connection, signal }: RequestContext): void {
  if (signal.aborted) throw new WardenError('caller_gone', 'nobody waits for the answer any more');
  const state = connection.check();
  if (state === 'gone') throw new WardenError('caller_gone', 'the calling process is gone');
  if (state === 'changed') throw new WardenError('caller_changed', 'the calling process runs another program by now');
}

/** The local rule, which only ever refuses. @throws WardenError lattice_refused naming every clause that failed */
export function checkLattice(route: Route, actor: Actor, context: RequestContext): Verdict {
  const verdict = latticeVerdict(route, actor, context);
  const refusal = refusalSentence(verdict);
  if (refusal === null) return verdict;
  throw new WardenError('lattice_refused', refusal, {
    hint: `needs ${failedClauses(verdict)}; ${actor.name} rises through the gate of its next level (warden policy), then maturity: in inventory.yaml`,
  });
}

/** The lattice over a value of the posture's own tier: that it is of that tier is checked against the store. */
export function latticeVerdict(
  route: Route,
  { maturity }: Pick<Actor, 'maturity'>,
  { world }: RequestContext,
): Verdict {
  const { posture } = world.snapshot.settings;
  return canRelease(route.secret, { posture, maturity }, postureRow(posture).material);
}

function failedClauses({ clauses }: Verdict): string {
  return clauses
    .filter(({ held }) => !held)
    .map(({ id, needed, was }) => `${id} ${needed} (has ${was})`)
    .join(', ');
}

/** A value never crosses tiers. @throws WardenError tier_mismatch */
export function checkTier(route: Route, { world }: RequestContext): void {
  if (route.lane === 'tool') return;
  const { posture } = world.snapshot.settings;
  const tier = world.lanes.store?.tier ?? null;
  if (tier === posture) return;
  throw new WardenError(
    'tier_mismatch',
    tier === null
      ? `nobody says of which tier the OpenBao configured is, and this daemon runs in posture ${posture}`
      : `the OpenBao configured is of tier ${tier}, and this daemon runs in posture ${posture}`,
  );
}
