import type { Channel } from '../../src/rpc/client/channel.ts';
import type { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import type { Output } from '../output.ts';
import { printStatus, statusJson } from '../print-status.ts';
import { toJsonError } from '../report-error.ts';
import { changesBetween, workLine } from './changes.ts';
import { followStatus } from './follow.ts';

/**
 * The status for pipes and files: whole at first, then a line with its time for each thing that changes. With --json
 * one object a change, and `{"lost":…}` where the daemon went away. Resolves to the last status when nobody reads.
 */
export async function plainStatus(connect: () => Promise<Channel>, out: Output): Promise<StatusResponse | null> {
  let last: StatusResponse | null = null;
  let lost = false;
  const news = (text: string): void => out.line(`${new Date().toISOString().slice(0, 19)}Z  ${text}`);
  for await (const sighting of followStatus(connect, new AbortController().signal)) {
    if (sighting.kind === 'lost') {
      lost = true;
      if (out.json) out.object({ lost: toJsonError(sighting.error) });
      else news(`lost the daemon: ${sighting.error.message}; trying again`);
    } else {
      const { status } = sighting;
      if (out.json) out.object(statusJson(status));
      else if (last === null) printStatus(status, out);
      else {
        if (lost) news(`the daemon is back: pid ${status.pid}`);
        for (const change of changesBetween(last, status)) news(change);
        if (workLine(last) !== workLine(status)) news(workLine(status));
      }
      last = status;
      lost = false;
    }
    if (out.abandoned) break;
  }
  return last;
}
