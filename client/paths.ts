import { lstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import { defaultPaths, type PathFacts, type Paths } from '../src/kernel/paths.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What the default paths depend on, as this process sees it. */
export function pathFacts(env: Env): PathFacts {
  const uid = process.getuid?.() ?? 0;
  return {
    uid,
    home: home(env),
    isOwnDir: (path) => {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      return stats?.isDirectory() === true && stats.uid === uid && (stats.mode & 0o777) === 0o700;
    },
  };
}

/** Where `init` writes, and where everything is looked for first. */
export function ownPaths(env: Env): Paths {
  return defaultPaths(env, pathFacts(env));
}

/** The config folder to read: one's own where it is there, else the system's where that is, else one's own. */
export function configFolder(env: Env): string {
  return firstThere(env, 'configDir');
}

/** The state folder to read, in the same way. */
export function stateFolder(env: Env): string {
  return firstThere(env, 'stateDir');
}

export function home(env: Env): string {
  if (env.HOME !== undefined && isAbsolute(env.HOME)) return env.HOME;
  try {
    return homedir();
  } catch {
    // A uid that is in no user database has none: what is looked for there is not there.
    return '/nonexistent';
  }
}

function firstThere(env: Env, which: 'configDir' | 'stateDir'): string {
  const own = ownPaths(env)[which];
  const system = defaultPaths(env, pathFacts(env), 'system')[which];
  return !isThere(own) && isThere(system) ? system : own;
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
