import * as z from 'zod';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import { ambientToken } from '../openbao-token.ts';
import { explanationJson } from '../print-explanation.ts';
import { actor, actorOf, askedBy, command, reason, route, ticket } from './common.ts';
import { execStart } from './exec-start.ts';
import { onlyActor } from './only-actor.ts';
import { defineTool } from './tool.ts';

export const explain = defineTool({
  name: 'explain',
  title: 'Explain a decision',
  description:
    'Whether a request would be granted now, step by step, and what to do where it would not. Nothing is released, started or signed.',
  input: z.strictObject({
    action: z.enum(['sign', 'fetch', 'exec']).describe('What you would ask for.'),
    actor,
    routes: z.array(route).max(16).optional().describe('For exec, and one for fetch.'),
    command: command.optional().describe('For exec.'),
    public_key: z.string().max(16_384).optional().describe('For sign: the one line of a .pub file.'),
    reason,
    ticket,
  }),
  readOnly: true,
  async run(input, context) {
    const { fullName, methods } = WardenDefinition;
    const openbaoToken = ambientToken(context.invocation.env);
    try {
      const question = { sign: undefined, fetch: undefined, exec: undefined, ask: false, ...questionOf(openbaoToken) };
      return explanationJson(
        await withDaemon(context.invocation, async (channel) => {
          const { sign } = question;
          if (sign !== undefined) sign.actor = await onlyActor(channel, sign.actor);
          return channel.unary(fullName, methods.explain, question);
        }),
      );
    } finally {
      openbaoToken.fill(0);
    }

    function questionOf(token: Buffer) {
      const common = { actor: actorOf(input.actor, context), ...askedBy(context, input) };
      const [first, second] = input.routes ?? [];
      if (input.action === 'sign') {
        const sign = {
          ...common,
          publicKey: input.public_key?.trim() ?? '',
          ttlSeconds: 0n,
          principals: [],
          purpose: 1 as const,
          smokeId: '',
        };
        return { sign };
      }
      if (first === undefined) throw usageError('routes is empty', 'list_routes has their ids');
      if (input.action === 'exec') {
        if (input.command === undefined)
          throw usageError('command is missing', 'an explanation of exec is of a command');
        return { exec: execStart({ ...input, routes: input.routes ?? [], command: input.command }, token, context) };
      }
      if (second !== undefined) throw usageError('routes holds more than one', 'one route is fetched at a time');
      return { fetch: { ...common, route: first, fields: [], single: false, wrapTtlSeconds: 0n, openbaoToken: token } };
    }
  },
});
