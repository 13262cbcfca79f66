import { lstatSync, mkdirSync, realpathSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { WardenError } from '../kernel/errors.ts';

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * A folder that only this user and root can change: made 0700 where it is missing, refused where others could
 * swap what is in it. `exact` wants it to be ours and closed to everybody else, as the state folder must be.
 * Throws `config_invalid`.
 */
export function ensurePrivateDir(path: string, uid: number, exact = false): void {
  const found = lstatOrNull(path);
  if (found === null) mkdirSync(path, { recursive: true, mode: 0o700 });
  const stats = found ?? lstatSync(path);
  if (stats.isSymbolicLink()) throw refused(path, 'is a symbolic link', 'give the folder that it points to');
  if (!stats.isDirectory()) throw refused(path, 'is no folder', 'remove it, or give another path');
  if (exact && stats.uid !== uid) throw refused(path, `belongs to uid ${stats.uid}`, `chown ${uid} ${path}`);
  if (exact && (stats.mode & 0o077) !== 0) throw refused(path, 'is open to other users', `chmod 700 ${path}`);
  // Whoever can rename a folder above can put another one in its place.
  for (let at = realpathSync(path); ; at = dirname(at)) {
    checkOwner(at, lstatSync(at), uid);
    if (at === dirname(at)) return;
  }
}

function checkOwner(path: string, stats: Stats, uid: number): void {
  if (stats.uid !== 0 && stats.uid !== uid) {
    throw refused(path, `belongs to uid ${stats.uid}`, `use a folder of your own or of root, or chown ${uid} ${path}`);
  }
  if ((stats.mode & WRITABLE_BY_OTHERS) !== 0 && (stats.mode & STICKY) === 0) {
    throw refused(path, 'can be changed by other users', `chmod go-w ${path}`);
  }
}

/** Whether `path` is a folder, not a link to one, that is this user's and closed to everybody else. Never throws. */
export function isOwnDir(path: string, uid: number): boolean {
  try {
    const stats = lstatSync(path);
    return stats.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

function lstatOrNull(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function refused(path: string, what: string, hint: string): WardenError {
  return new WardenError('config_invalid', `the folder ${path} ${what}`, { hint });
}
