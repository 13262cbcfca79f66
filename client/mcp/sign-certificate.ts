import * as z from 'zod';
import { parseTtl } from '../../src/kernel/duration.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import { evidenceJson, readSignResponse } from '../evidence.ts';
import { SIGN } from '../sign-method.ts';
import { actor, actorOf, askedBy, reason, ticket } from './common.ts';
import { onlyActor } from './only-actor.ts';
import { defineTool } from './tool.ts';

export const signCertificate = defineTool({
  name: 'sign_certificate',
  title: 'Get an SSH certificate',
  description:
    'A short-lived SSH certificate over a public key that you hold, for an actor of the inventory. Write it beside the private key as NAME-cert.pub and ssh uses it. Never give a private key.',
  input: z.strictObject({
    actor: actor.unwrap().describe('The actor of the inventory, such as agt-release.').optional(),
    public_key: z.string().min(1).max(16_384).describe('The one line of a .pub file.'),
    ttl: z.string().max(32).optional().describe('Lifetime: 90m, 8h. Left out: what the inventory says.'),
    principals: z.array(z.string().max(255)).max(256).optional().describe("Only these of the actor's principals."),
    reason,
    ticket,
  }),
  readOnly: false,
  async run(input, context) {
    const seconds = input.ttl === undefined ? 0 : parseTtl(input.ttl);
    if (seconds === null) throw usageError('ttl is no time', 'write 90m or 8h');
    const request = {
      publicKey: input.public_key.trim(),
      ttlSeconds: BigInt(seconds),
      principals: input.principals ?? [],
      purpose: 1 as const,
      smokeId: '',
      ...askedBy(context, input),
    };
    const response = await withDaemon(context.invocation, async (channel) =>
      channel.unary(SIGN.service, SIGN.method, {
        ...request,
        actor: await onlyActor(channel, actorOf(input.actor, context)),
      }),
    );
    const { certificate, evidence } = readSignResponse(response);
    return { certificate, ...evidenceJson(evidence) };
  },
});
