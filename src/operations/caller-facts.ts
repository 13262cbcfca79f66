import type { ExecutableIndex } from '../callers/executable-index.ts';

/** What the daemon knows beside the caller itself, for matching selectors. */
export interface CallerFacts {
  readonly daemonUid: number;
  readonly executables: ExecutableIndex;
}
