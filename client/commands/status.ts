import { type StatusResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { printStatus, statusJson } from '../print-status.ts';

/** 0 where everything serves, 4 where something does not. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const { fullName, methods } = WardenDefinition;
  return withDaemon(invocation, async (channel) => {
    if (!args.flag('watch')) {
      const status = await channel.unary(fullName, methods.status, {});
      show(status);
      return exitCodeOf(status);
    }
    let code = 0;
    let first = true;
    for await (const status of channel.stream(fullName, methods.watchStatus, {}, { deadlineMs: null })) {
      if (!first) out.note('');
      first = false;
      show(status);
      code = exitCodeOf(status);
      if (out.abandoned) break;
    }
    return code;
  });

  function show(status: StatusResponse): void {
    if (out.json) out.object(statusJson(status));
    else printStatus(status, out);
  }
}

function exitCodeOf({ dependencies }: StatusResponse): number {
  return dependencies.some(({ state }) => state === 'not_serving') ? 4 : 0;
}
