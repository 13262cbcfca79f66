import * as z from 'zod';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { toJsonRoute } from '../route-json.ts';
import { actor, actorOf } from './common.ts';
import { defineTool } from './tool.ts';

export const listRoutes = defineTool({
  name: 'list_routes',
  title: 'List the routes to secrets',
  description:
    'The catalogued ways to secrets that this process may ask for, with what each needs, and whether a command may be run with it (exec_capable). No values.',
  input: z.strictObject({ actor }),
  readOnly: true,
  async run(input, context) {
    const { fullName, methods } = WardenDefinition;
    const { routes, posture } = await withDaemon(context.invocation, (channel) =>
      channel.unary(fullName, methods.listRoutes, { actor: actorOf(input.actor, context) }),
    );
    routes.sort((a, b) => (a.id < b.id ? -1 : 1));
    return { posture, routes: routes.map(toJsonRoute) };
  },
});
