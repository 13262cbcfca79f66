import type { Caller } from '../callers/caller.ts';
import { WardenError } from '../kernel/errors.ts';

/** The ids of a process. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary ones. */
  readonly groups: readonly number[];
}

/**
 * Whom a process started for the caller has to become; null where it is the caller's already as it is. Only root can
 * become somebody else, and nobody gets groups that the caller has given up.
 * @throws WardenError route_unusable | caller_confined
 */
export function whomToBecome(caller: Caller, own: Identity): Identity | null {
  if (caller.unmapped?.uid === true || caller.unmapped?.gid === true) {
    throw new WardenError('route_unusable', 'the user of the calling process has no number here');
  }
  if (own.uid === 0) return { uid: caller.uid, gid: caller.gid, groups: caller.groups };
  if (caller.uid !== own.uid) {
    throw new WardenError(
      'route_unusable',
      `this daemon runs as uid ${own.uid} and cannot run a tool as uid ${caller.uid}`,
      { hint: 'ask a daemon of your own (user mode), or one that runs as root' },
    );
  }
  const held = new Set([caller.gid, ...caller.groups]);
  if ([own.gid, ...own.groups].every((group) => held.has(group))) return null;
  throw new WardenError('caller_confined', 'the caller has given up groups that the tool would have');
}
