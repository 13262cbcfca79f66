import { locationFor, storePath } from '../access/route.ts';
import type { Snapshot } from './snapshot.ts';

/** What routes have the daemon read at OpenBao in its own name. */
export interface DaemonReads {
  /** As policies name them, sorted, each once. */
  readonly paths: readonly string[];
  /** Some of it is leased: the daemon gives leases back. */
  readonly leased: boolean;
}

/** Of the routes with `as: daemon`, in the snapshot's own posture. */
export function daemonReads({ routes, settings }: Pick<Snapshot, 'routes' | 'settings'>): DaemonReads {
  const mine = [...routes.values()].flatMap((route) => {
    const location = locationFor(route, settings.posture);
    return route.as !== 'daemon' || route.lane === 'tool' || location === null ? [] : [{ lane: route.lane, location }];
  });
  return {
    paths: [...new Set(mine.map(({ lane, location }) => storePath(lane, location)))].sort(),
    leased: mine.some(({ lane }) => lane === 'openbao-dynamic'),
  };
}
