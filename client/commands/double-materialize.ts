import { resolve } from 'node:path';
import { materializeDoubles } from '../../src/doubles/materialize.ts';
import { usageError } from '../args.ts';
import { whyFile } from '../bounded-file.ts';
import type { Invocation } from '../invocation.ts';
import { refuseInProd } from '../refuse-in-prod.ts';

/** Writes the doubles of `bao` and `key-cape`. A stand-in has no business where prod is in force. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const dir = resolve(args.positional(0));
  await refuseInProd(invocation);
  let paths: readonly string[];
  try {
    paths = materializeDoubles(dir);
  } catch (error) {
    throw usageError(`cannot write the doubles into ${dir}: ${whyFile(error)}`, 'name another folder');
  }
  if (out.json) out.object({ double: true, files: paths });
  else for (const path of paths) out.line(path);
  out.aside(`synthetic doubles; use them: PATH=${dir}:$PATH`);
  return 0;
}
