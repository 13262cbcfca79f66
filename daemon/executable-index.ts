import type { ExecutableIndex } from '../src/callers/executable-index.ts';
import { native } from '../src/unix/native.ts';

/**
 * Looks at the path each time it is asked, in the same tick: a remembered answer would outlive a package
 * upgrade, and one system call of a microsecond or two on a path from the daemon's own config is cheaper than
 * a turn through the thread pool.
 */
export const executableIndex: ExecutableIndex = { identify: (path) => native().identify(path) };
