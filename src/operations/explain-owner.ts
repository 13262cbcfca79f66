import { locationFor, type Route, storePath } from '../access/route.ts';
import { authorityOver } from '../access/walk.ts';
import type { Secret } from '../kernel/secret.ts';
import type { RequestContext } from './context.ts';

/** What the walk to the owner wants of the caller beside the decision. @throws WardenError token_missing */
export function checkOwner(route: Route, token: Secret | null, { world }: RequestContext): void {
  if (route.lane !== 'tool') authorityOver(route, token, isDouble(world));
}

export function ownerNeeds(routes: readonly Route[], { world }: RequestContext): string {
  const own = routes.some(({ lane, as }) => lane !== 'tool' && as === 'caller') && !isDouble(world);
  return own ? 'your own OpenBao token' : 'nothing more of you';
}

/** What would be done to get the value. */
export function ownerText(route: Route, { world, connection }: RequestContext): string {
  if (route.tool !== null) return `would run ${route.tool.argv.join(' ')} as uid ${connection.caller.uid}`;
  const location = locationFor(route, world.snapshot.settings.posture);
  if (location === null) return '';
  const as = isDouble(world) ? '(synthetic values)' : `as ${route.as === 'caller' ? 'you' : 'the daemon'}`;
  return `would read ${storePath(route.lane, location)} ${as}`;
}

/** Of what tier the values of a route are, where one is known. */
export function tierText(route: Route, { world }: RequestContext): string {
  return route.lane === 'tool' ? "the owner's own" : `${world.lanes.store?.tier}`;
}

function isDouble({ lanes }: RequestContext['world']): boolean {
  return lanes.store?.double === true;
}
