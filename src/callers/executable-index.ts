import type { FileIdentity } from './caller.ts';

/** What stands at a path in the daemon's own mount namespace, links followed. */
export interface ExecutableIndex {
  /** Null where nothing is there or it can't be reached. Must be cheap: it is asked in the middle of a decision. */
  identify(path: string): FileIdentity | null;
}
