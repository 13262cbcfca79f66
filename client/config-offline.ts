import { lstatSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkFolder } from '../src/config/check.ts';
import { formatProblem } from '../src/config/problems.ts';
import { INVENTORY_FILE, WARDEN_FILE } from '../src/config/read-folder.ts';
import type { ConfigProblem, Snapshot } from '../src/config/snapshot.ts';
import { WardenError } from '../src/kernel/errors.ts';
import { usageError } from './args.ts';
import { whyFile } from './bounded-file.ts';
import type { Invocation } from './invocation.ts';
import { configFolder } from './paths.ts';

export interface OfflineConfig {
  readonly dir: string;
  /** Null where there are problems. */
  readonly config: Snapshot | null;
  readonly problems: readonly ConfigProblem[];
  /** There is nothing to check: no folder, or neither file in it. */
  readonly empty: boolean;
}

/** The config folder of --config, else the one that a daemon of this machine would read. */
export function namedConfigFolder({ args, env }: Invocation): string {
  return resolve(args.string('config') || configFolder(env));
}

/**
 * Reads and validates a folder as the daemon does, in this process.
 * @throws WardenError invalid_request where the folder is closed to us: then nothing is known, not even that it is empty
 */
export async function loadFolder(dir: string): Promise<OfflineConfig> {
  const empty = ![WARDEN_FILE, INVENTORY_FILE].some((file) => isThere(join(dir, file)));
  const { snapshot, problems } = await checkFolder(dir, { daemonUid: daemonUidOf(dir) });
  return { dir, config: snapshot, problems, empty };
}

/** The config of --config where it is good. @throws WardenError config_invalid naming the first problem */
export async function requireConfig(invocation: Invocation): Promise<Snapshot> {
  const { dir, config, problems } = await loadFolder(namedConfigFolder(invocation));
  if (config !== null) return config;
  const [first] = problems;
  const [what] = first === undefined ? ['it cannot be read'] : formatProblem(first).split('\n');
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  throw new WardenError('config_invalid', `the config in ${dir} does not hold: ${what}${more}`, {
    hint:
      first === undefined ? `see warden check --config ${dir}` : `write ${first.hint}; warden check lists everything`,
  });
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw usageError(`cannot read ${path}: ${whyFile(error)}`, "run it as the daemon's user, or name another --config");
  }
}

/** The user that the daemon would run as: the folder's owner, else whoever asks. */
export function daemonUidOf(dir: string): number {
  const own = process.getuid?.() ?? 0;
  try {
    return statSync(dir).uid || own;
  } catch {
    return own;
  }
}
