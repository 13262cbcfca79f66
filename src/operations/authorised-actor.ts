import type { Selector } from '../callers/caller.ts';
import { firstMatch, type MatchFacts, mayAsk } from '../callers/match.ts';
import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { RequestContext } from './context.ts';
import { digestMatters } from './digest-need.ts';

/**
 * The actor, if this caller may ask for it. The refusal is the same, byte for byte and step for step, whether
 * the actor is missing or merely somebody else's: its cause goes to administrators alone.
 * @throws WardenError caller_not_allowed
 */
export async function authorisedActor(name: string, context: RequestContext): Promise<Actor> {
  const actor = context.world.snapshot.actors.get(name);
  const facts = await selectorFacts(context);
  const { daemonUid } = context.services.facts;
  if (actor !== undefined && mayAsk(actor.callers, context.connection.caller, daemonUid, facts)) return actor;
  const cause = actor === undefined ? `no actor ${name} in the inventory` : `no entry of callers: on ${name} matches`;
  throw new WardenError('caller_not_allowed', 'this caller may not ask for that', {
    privateDetail: cause,
    ...((await isAdministrator(context)) ? { hint: `${cause}; see warden explain` } : {}),
  });
}

/** Administrators: `admins:` of warden.yaml, else the daemon's own uid. */
export async function isAdministrator(context: RequestContext): Promise<boolean> {
  const { admins } = context.world.snapshot.settings;
  const { daemonUid } = context.services.facts;
  return mayAsk(admins, context.connection.caller, daemonUid, await selectorFacts(context));
}

export async function callerMatches(selectors: readonly Selector[], context: RequestContext): Promise<boolean> {
  return firstMatch(selectors, context.connection.caller, await selectorFacts(context)) !== null;
}

/** @throws WardenError not_administrator */
export async function requireAdministrator(context: RequestContext): Promise<void> {
  if (await isAdministrator(context)) return;
  throw new WardenError('not_administrator', 'only an administrator of this daemon may do that');
}

/** What matching needs beside the caller. The digest is read where it can matter at all: see `digestMatters`. */
export async function selectorFacts({ connection, world, services }: RequestContext): Promise<MatchFacts> {
  const { executables } = services.facts;
  const matters = digestMatters(world.snapshot, connection.caller, executables);
  return { executables, exeSha256: matters ? await connection.exeSha256() : null };
}
