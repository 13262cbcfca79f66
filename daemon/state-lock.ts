import { join } from 'node:path';
import { WardenError } from '../src/kernel/errors.ts';
import { effectiveUid } from '../src/unix/effective-uid.ts';
import { type LockFile, takeLock } from '../src/unix/lock-file.ts';
import { ensurePrivateDir } from '../src/unix/private-dir.ts';

/**
 * Makes the state folder this daemon's alone: 0700, ours, and locked for as long as the process lives. Throws
 * `state_in_use` naming the pid that has it, `config_invalid` where the folder can't be trusted.
 */
export function lockState(stateDir: string, uid: number = effectiveUid()): LockFile {
  ensurePrivateDir(stateDir, uid, true);
  const lock = takeLock(join(stateDir, 'wardend.lock'));
  if (!('heldBy' in lock)) return lock;
  const who = lock.heldBy === null ? 'another wardend' : `the wardend with pid ${lock.heldBy}`;
  throw new WardenError('state_in_use', `the state folder ${stateDir} is in use by ${who}`);
}
