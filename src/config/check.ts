import { systemClock } from '../kernel/clock.ts';
import { type Changes, describeChanges } from './diff.ts';
import { inProcessParser } from './in-process-parser.ts';
import type { ConfigParser } from './parser.ts';
import { type FolderContent, readFolder } from './read-folder.ts';
import type { ConfigProblem, Snapshot } from './snapshot.ts';
import { ConfigStore } from './store.ts';

export interface CheckResult {
  /** Null where there are problems. */
  readonly snapshot: Snapshot | null;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

export interface CheckOptions {
  /** Whose config it is: owners other than root and this uid are refused. Default: who runs this. */
  readonly daemonUid?: number;
  readonly parser?: ConfigParser;
  /** The folder that relative paths are relative to; default: the one that is read. */
  readonly pathsIn?: string;
}

/** Validates a config folder as the daemon would, without one. An empty folder is a problem here: nothing was checked. */
export async function checkFolder(dir: string, options: CheckOptions = {}): Promise<CheckResult> {
  const { daemonUid = process.getuid?.() ?? 0, parser = inProcessParser(), pathsIn = dir } = options;
  const read = (): Promise<FolderContent> => readFolder(dir, daemonUid);
  const store = new ConfigStore({ dir: pathsIn, daemonUid, parser, clock: systemClock, mayEmbed: false, read });
  const outcome = await store.load();
  if (outcome.kind === 'refused') return { snapshot: null, problems: outcome.problems, warnings: [] };
  return { snapshot: outcome.snapshot, problems: [], warnings: outcome.snapshot.warnings };
}

/** `warden check --diff`: what would change if `after` stood in place of `before`, two folders. Null where either is not valid. */
export async function diffFolders(before: string, after: string, options: CheckOptions = {}): Promise<Changes | null> {
  const old = await checkFolder(before, { pathsIn: after, ...options });
  const now = await checkFolder(after, options);
  return old.snapshot === null || now.snapshot === null ? null : describeChanges(old.snapshot, now.snapshot);
}
