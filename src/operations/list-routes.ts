import type { Route } from '../access/route.ts';
import type { Actor } from '../inventory/actor.ts';
import { refusalSentence } from '../posture/lattice.ts';
import { authorisedActor, isAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { latticeVerdict, usableActors } from './route-gate.ts';

export interface ListedRoute {
  readonly route: Route;
  readonly actors: readonly ListedRouteActor[];
}

export interface ListedRouteActor {
  readonly actor: Actor;
  readonly usable: boolean;
  /** What the lattice says of it; null where it permits. */
  readonly refusal: string | null;
}

/**
 * The routes that the caller's actors may ask for, and what the lattice says of each pair; an administrator sees all,
 * with their own marked. `name`: for that actor alone.
 * @throws WardenError caller_not_allowed
 */
export async function listRoutes(name: string, context: RequestContext): Promise<ListedRoute[]> {
  const { snapshot } = context.world;
  const everything = name === '' && (await isAdministrator(context));
  const usable = new Set(name === '' ? await usableActors(context) : [await authorisedActor(name, context)]);
  const listed: ListedRoute[] = [];
  for (const route of snapshot.routes.values()) {
    const actors = route.actors.flatMap((one): ListedRouteActor[] => {
      const actor = snapshot.actors.get(one);
      if (actor === undefined || !(everything || usable.has(actor))) return [];
      return [{ actor, usable: usable.has(actor), refusal: refusalSentence(latticeVerdict(route, actor, context)) }];
    });
    if (actors.length > 0 || everything) listed.push({ route, actors });
  }
  return listed;
}
