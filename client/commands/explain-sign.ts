import { WardenError } from '../../src/kernel/errors.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { findKey } from '../find-key.ts';
import type { Invocation } from '../invocation.ts';
import { explanationCode, explanationJson, printExplanation } from '../print-explanation.ts';
import { readSignRequest } from '../sign-request.ts';

/** The decision, step by step, without its effect. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const publicKey = await keyOrNone(invocation);
  const sign = readSignRequest(invocation, publicKey, 1);
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.explain, { sign, fetch: undefined, exec: undefined, ask: args.flag('ask') }),
  );
  if (out.json) out.object(explanationJson(answer));
  else printExplanation(answer, out);
  return explanationCode(answer);
}

/** Without any key the question is still worth asking: the answer says that one is missing. */
async function keyOrNone(invocation: Invocation): Promise<string> {
  try {
    return (await findKey(invocation, invocation.args.positional(0))).line;
  } catch (error) {
    const none = error instanceof WardenError && error.code === 'invalid_request';
    if (none && invocation.args.string('pubkey') === undefined) return '';
    throw error;
  }
}
