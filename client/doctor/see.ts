import { lstatSync, statSync } from 'node:fs';
import { whyFile } from '../bounded-file.ts';
import type { Seen } from './judge-files.ts';

/** stat(2) of a path; null where there is none, words where it may not be looked at. */
export function see(path: string, { follow = true } = {}): Seen {
  try {
    const { uid, gid, mode } = follow ? statSync(path) : lstatSync(path);
    return { uid, gid, mode };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? null : whyFile(error);
  }
}
