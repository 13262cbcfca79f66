import { lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { isAbsolute, join } from 'node:path';

/**
 * Keeps compiled code between runs where Node can (from 22.1 on), in a folder that is provably ours: whoever can
 * write into it decides what we run, so Node's own place in /tmp will not do.
 */
export function keepCompiledCode(env: Readonly<Record<string, string | undefined>>): void {
  if (!('enableCompileCache' in module) || env.HOME === undefined || !isAbsolute(env.HOME)) return;
  const cache =
    env.XDG_CACHE_HOME !== undefined && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(env.HOME, '.cache');
  const folder = join(cache, 'warden');
  try {
    // With sudo HOME may be someone else's: then there is no cache.
    if (lstatSync(env.HOME).uid !== process.getuid?.()) return;
    // Level by level: Node's own `recursive` never ends where a level can be neither made nor found (/proc).
    for (const level of [cache, folder]) makeFolder(level);
    const { uid, mode } = lstatSync(folder);
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0) return;
    (module.enableCompileCache as (folder: string) => unknown)(folder);
  } catch {
    // Only speed is lost.
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
