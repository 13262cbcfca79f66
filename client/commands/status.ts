import { type StatusResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { connectDaemon, withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { versionWarning } from '../neighbours.ts';
import { printStatus, statusJson } from '../print-status.ts';
import { liveStatus } from '../status/live.ts';
import { plainStatus } from '../status/plain.ts';

/** 0 where everything serves, 4 where something does not. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  if (args.flag('watch')) {
    const connect = () => connectDaemon(invocation);
    const last = await (out.drawable ? liveStatus(connect, out) : plainStatus(connect, out));
    return last === null ? 0 : exitCodeOf(last);
  }
  const { fullName, methods } = WardenDefinition;
  return withDaemon(invocation, async (channel) => {
    const status = await channel.unary(fullName, methods.status, {});
    if (out.json) out.object(statusJson(status));
    else printStatus(status, out);
    const warning = versionWarning(status.version);
    if (warning !== null) out.aside({ text: 'warning: ', style: 'yellow' }, warning);
    return exitCodeOf(status);
  });
}

function exitCodeOf({ dependencies }: StatusResponse): number {
  return dependencies.some(({ state }) => state === 'not_serving') ? 4 : 0;
}
