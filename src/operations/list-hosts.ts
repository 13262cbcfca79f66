import type { Host } from '../inventory/actor.ts';
import { callerMatches, isAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { listActors } from './list-actors.ts';

export interface ListedHost {
  readonly host: Host;
  /** Whether this caller may have its certificate. */
  readonly usable: boolean;
}

/**
 * Hosts that have certificates: whoever trusts them must know their names. Who may ask for a certificate to log in
 * with must know where to, and sees all, as an administrator does.
 */
export async function listHosts(context: RequestContext): Promise<ListedHost[]> {
  const everything = (await isAdministrator(context)) || (await listActors(context)).some(({ usable }) => usable);
  const listed: ListedHost[] = [];
  for (const host of context.world.snapshot.hosts) {
    const rule = host.hostCertificate;
    if (rule === null && !everything) continue;
    listed.push({ host, usable: rule !== null && (await callerMatches(rule.callers, context)) });
  }
  return listed;
}
