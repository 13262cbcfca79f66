import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { CLIENT_VERSION } from '../neighbours.ts';
import { toShown } from '../report-error.ts';
import type { DaemonFacts } from './judge-daemon.ts';

/** Asks the daemon, if there is one. Never throws: that nobody answers is a fact. */
export async function gatherDaemon(invocation: Invocation): Promise<DaemonFacts> {
  const { fullName, methods } = WardenDefinition;
  try {
    return await withDaemon(invocation, async (channel) => {
      const begun = performance.now();
      const status = await channel.unary(fullName, methods.status, {}, { deadlineMs: 10_000 });
      const ms = performance.now() - begun;
      return { reached: true, status, ms, clientVersion: CLIENT_VERSION, ownPid: process.pid };
    });
  } catch (thrown) {
    return { reached: false, error: toShown(thrown) };
  }
}
