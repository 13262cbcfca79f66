import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { WardenError } from '../kernel/errors.ts';
import { native } from './native.ts';

/** Held until released, or until the process ends, however it ends. */
export interface LockFile {
  release(): void;
}

/**
 * Takes an exclusive lock on `path` (made 0600 where missing) without waiting. Answers the pid that the holder
 * wrote into it (null where it can't be told) when somebody else has it. The file stays when the lock is
 * released: removing it would let two processes lock two files of one name.
 */
export function takeLock(path: string): LockFile | { readonly heldBy: number | null } {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.uid !== process.geteuid?.()) {
      throw new WardenError('config_invalid', `the lock file ${path} is not this user's`, { hint: `remove ${path}` });
    }
    if (!native().tryLock(fd)) {
      const heldBy = holder(fd);
      closeSync(fd);
      return { heldBy };
    }
    signLock(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let held = true;
  return {
    release() {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/** The pid is there for people to read: a full disk has no room for it, and takes nothing from the lock. */
function signLock(fd: number): void {
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function holder(fd: number): number | null {
  const match = /^(\d{1,10})\n$/.exec(readFileSync(fd, 'latin1').slice(0, 16));
  return match === null ? null : Number(match[1]);
}
