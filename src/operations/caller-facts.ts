import type { ExecutableIndex } from '../callers/match.ts';

/** What the daemon knows beside the caller itself, for matching selectors. */
export interface CallerFacts {
  readonly daemonUid: number;
  readonly executables: ExecutableIndex;
}
