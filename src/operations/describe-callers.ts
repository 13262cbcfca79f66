import { mayAsk, nearestMiss } from '../callers/match.ts';
import { isAdministrator, selectorFacts } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';

/** What `callers:` wants, and the nearest entry that did not match: for administrators and those it admits. */
export async function describeCallers(name: string, context: RequestContext): Promise<string> {
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
