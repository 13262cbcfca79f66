import { mayAsk } from '../callers/match.ts';
import type { Actor } from '../inventory/actor.ts';
import { isAdministrator, selectorFacts } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { type QuotaUse, quotaUse } from './quota.ts';

export interface ListedActor {
  readonly actor: Actor;
  readonly usable: boolean;
  readonly quotas: readonly QuotaUse[];
}

/** The actors that this caller may ask for; an administrator sees all, with their own marked. */
export async function listActors(context: RequestContext): Promise<ListedActor[]> {
  const facts = await selectorFacts(context);
  const everything = await isAdministrator(context);
  const listed: ListedActor[] = [];
  for (const actor of context.world.snapshot.actors.values()) {
    const usable = mayAsk(actor.callers, context.connection.caller, context.services.facts.daemonUid, facts);
    if (usable || everything) listed.push({ actor, usable, quotas: await quotaUse(actor, context) });
  }
  return listed;
}
