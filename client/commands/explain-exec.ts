import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { readExecStart } from '../exec/request.ts';
import type { Invocation } from '../invocation.ts';
import { explanationCode, explanationJson, printExplanation } from '../print-explanation.ts';

/** The decision, step by step, without its effect. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const exec = readExecStart(invocation, args.strings('route'), args.positionals(0));
  const { fullName, methods } = WardenDefinition;
  try {
    const answer = await withDaemon(invocation, (channel) =>
      channel.unary(fullName, methods.explain, { sign: undefined, fetch: undefined, exec, ask: args.flag('ask') }),
    );
    if (out.json) out.object(explanationJson(answer));
    else printExplanation(answer, out);
    return explanationCode(answer);
  } finally {
    exec.openbaoToken.fill(0);
  }
}
