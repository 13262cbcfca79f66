import { resolve } from 'node:path';
import { placeOf } from '../../src/config/problems.ts';
import { usageError } from '../args.ts';
import { checkAuthorityKeys } from '../check-authority.ts';
import { daemonUidOf, loadFolder, namedConfigFolder } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { counted } from '../output.ts';

/** 0 conforms, 1 with problems, 2 where there is nothing to check. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const checked = await loadFolder(namedConfigFolder(invocation));
  const { dir, empty } = checked;
  if (empty) throw usageError(`there is no config in ${dir}`, 'name a folder with --config, or make one: warden init');
  const keys = checked.config === null ? null : await checkAuthorityKeys(checked.config, daemonUidOf(dir));
  const problems = [...checked.problems, ...(keys?.problems ?? [])];
  const config = problems.length > 0 ? null : checked.config;
  const against = args.string('against');
  let changes: readonly string[] | undefined;
  let compared = '';
  if (config !== null && (against !== undefined || args.flag('diff'))) {
    const { changesAgainstDaemon, changesAgainstFolder } = await import('../config-changes.ts');
    compared = against === undefined ? 'the running daemon' : resolve(against);
    changes =
      against === undefined
        ? await changesAgainstDaemon(config, invocation)
        : await changesAgainstFolder(config, dir, against);
  }
  if (out.json) {
    const { hash, actors } = config ?? {};
    const warnings = config === null ? undefined : [...config.warnings, ...(keys?.warnings ?? [])];
    out.object({ conforms: config !== null, folder: dir, hash, actors: actors?.size, problems, warnings, changes });
  } else {
    for (const problem of problems) {
      out.line({ text: `${placeOf(problem)}:`, style: 'bold' }, ` ${problem.message}`);
      out.line(`  write: ${problem.hint}`);
    }
    for (const warning of [...(config?.warnings ?? []), ...(keys?.warnings ?? [])])
      out.line({ text: 'warning: ', style: 'yellow' }, warning);
    if (changes !== undefined) {
      if (changes.length === 0) out.line(`nothing would change against ${compared}`);
      for (const change of changes) out.line(change);
    }
    if (config !== null) {
      const { posture } = config.settings;
      out.note(
        { text: 'conforms', style: 'green' },
        `: ${dir}, posture ${posture}, ${counted(config.actors.size, 'actor')}, ${config.hash.slice(0, 12)}`,
      );
    } else out.note(`${counted(problems.length, 'problem')} in ${dir}`);
  }
  return config === null ? 1 : 0;
}
