import { locationFor, type Route, storePath } from '../access/route.ts';
import { argvFor } from '../access/tool-output.ts';
import { authorityOver } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import type { Secret } from '../kernel/secret.ts';
import type { RequestContext } from './context.ts';

/**
 * What the walk to the owner wants beside the decision: a token of the caller's, or that its tool is there.
 * @throws WardenError token_missing | tool_failed | route_unusable | caller_confined
 */
export async function checkOwner(
  route: Route,
  actor: Pick<Actor, 'name' | 'tenant'>,
  token: Secret | null,
  { world, connection }: RequestContext,
): Promise<void> {
  if (route.tool === null) authorityOver(route, token, isDouble(world));
  else await world.lanes.tools.find({ argv: argvFor(route.tool, actor), connection });
}

export function ownerNeeds(routes: readonly Route[], { world }: RequestContext): string {
  const own = routes.some(({ lane, as }) => lane !== 'tool' && as === 'caller') && !isDouble(world);
  const tools = routes.flatMap(({ tool }) => (tool === null ? [] : [`the program ${tool.argv[0]}`]));
  const needs = [...(own ? ['your own OpenBao token'] : []), ...tools];
  return needs.length > 0 ? needs.join(', ') : 'nothing more of you';
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
