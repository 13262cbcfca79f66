import { resolve } from 'node:path';
import { POSTURES } from '../../src/kernel/posture.ts';
import { quoted, usageError } from '../args.ts';
import { loadFolder } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { newConfig } from '../new-config.ts';
import { writeNewFolder } from '../new-folder.ts';
import { ownLogin } from '../own-login.ts';
import { ownPaths } from '../paths.ts';

const POSTURE_HINT = 'dev: synthetic, to try things out; test: real CA, not production; prod: everything enforced';

/** A config folder that works at once. Nothing that is there is touched. */
export async function run({ args, out, env }: Invocation): Promise<number> {
  const given = args.string('posture');
  if (given === undefined) throw usageError('init needs --posture dev, test or prod: nothing is guessed', POSTURE_HINT);
  const posture = POSTURES.find((known) => known === given);
  if (posture === undefined) throw usageError(`--posture ${quoted(given)} is none`, POSTURE_HINT);

  const dir = resolve(args.string('config') || ownPaths(env).configDir);
  const { actor, files, dispose } = await newConfig(posture, ownLogin());
  try {
    writeNewFolder(dir, files);
  } finally {
    dispose();
  }
  // What was just written must hold; if it does not, that is a defect and says so.
  const { problems } = await loadFolder(dir);
  if (problems.length > 0) throw new Error(`init wrote a config that does not hold: ${JSON.stringify(problems)}`);

  if (out.json) out.object({ folder: dir, posture, actor, files: files.map(({ name }) => name) });
  else {
    out.line(`wrote ${dir} (posture ${posture})`);
    for (const { name, what } of files) out.note(`  ${name.padEnd(14)}  ${what}`);
    out.note('next:');
    out.note(args.string('config') ? `  wardend --config ${forShell(dir)} &` : '  wardend &');
    out.note(`  warden sign ${actor}`);
  }
  return 0;
}

/** A path as a shell takes it. */
function forShell(path: string): string {
  return /^[A-Za-z0-9_./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
