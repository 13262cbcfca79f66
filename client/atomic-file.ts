import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { usageError } from './args.ts';
import { whyFile } from './bounded-file.ts';

export interface FilePlan {
  readonly path: string;
  readonly bytes: string | Buffer;
  readonly mode: number;
  /** False: a file that is there stays, and the write fails. */
  readonly replace: boolean;
}

/**
 * Writes the whole file or nothing: a reader sees the old bytes or the new ones, never half, and an
 * interruption leaves no temporary file. @throws WardenError invalid_request
 */
export function writeAtomically({ path, bytes, mode, replace }: FilePlan): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  // With a handler a signal waits until this synchronous stretch is over.
  const interrupted = (): void => process.exit(130);
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  let made = false;
  try {
    const fd = openSync(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      mode,
    );
    made = true;
    try {
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (replace) {
      renameSync(temporary, path);
      made = false;
    } else linkSync(temporary, path);
  } catch (error) {
    throw usageError(`cannot write ${path}: ${whyFile(error)}`, 'name another place with --out');
  } finally {
    if (made) unlinkSync(temporary);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}

/** Could a file be written there? Asked before the daemon is, so that no certificate is issued in vain. @throws WardenError invalid_request */
export function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  } catch (error) {
    throw usageError(`cannot write ${path}: ${whyFile(error)}`, 'name another place with --out');
  }
}
