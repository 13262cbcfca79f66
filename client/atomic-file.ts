import {
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
  /** Waits for the disk: for what cannot be made again. */
  readonly durable: boolean;
}

/**
 * Writes the whole file or nothing: a reader sees the old bytes or the new ones, never half, and an
 * interruption leaves no temporary file. @throws WardenError invalid_request
 */
export function writeAtomically({ path, bytes, mode, replace, durable }: FilePlan): void {
  withTemporary(path, mode, (fd, temporary) => {
    refuseSpecial(path);
    writeFileSync(fd, bytes);
    if (durable) fsyncSync(fd);
    if (!replace) linkSync(temporary, path);
    else {
      renameSync(temporary, path);
      return 'gone';
    }
    return 'there';
  });
}

/**
 * Could a file be written there? Tried out before the daemon is asked, so that no certificate is issued in vain;
 * asking the kernel for permissions alone would overlook read-only and special file systems.
 * @throws WardenError invalid_request
 */
export function checkWritable(path: string): void {
  withTemporary(path, 0o600, () => {
    refuseSpecial(path);
    return 'there';
  });
}

/** Renaming over /dev/null or a named pipe would put a file in its place, for everybody. */
function refuseSpecial(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return;
  throw Object.assign(new Error(), { code: found.isDirectory() ? 'EISDIR' : 'ESPECIAL' });
}

/** Makes a file beside `path` and removes it, unless `use` says that it is gone. */
function withTemporary(path: string, mode: number, use: (fd: number, temporary: string) => 'gone' | 'there'): void {
  // O_EXCL sees to it that the file is ours; the name need only be nobody else's by accident.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${process.hrtime.bigint()}.tmp`);
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
      if (use(fd, temporary) === 'gone') made = false;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // The temporary file is new, so what is not there is the folder.
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such folder' : whyFile(error);
    throw usageError(`cannot write ${path}: ${why}`, 'name another place');
  } finally {
    if (made) unlinkSync(temporary);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}
