import { closeSync, openSync, readSync } from 'node:fs';
import { usageError } from './args.ts';

const CHUNK_BYTES = 64 * 1024;
const RETRY_MS = 20;

/**
 * The bytes of a small file, a pipe or (`-`) stdin; `what` names it in errors. Reads no more than `maxBytes`.
 * @throws WardenError invalid_request where it cannot be read or is bigger
 */
export function readBounded(path: string, what: string, maxBytes: number): Buffer {
  const shown = path === '-' ? 'stdin' : path;
  let fd: number | null = null;
  try {
    fd = path === '-' ? 0 : openSync(path, 'r');
    const chunks: Buffer[] = [];
    for (let length = 0; length <= maxBytes; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, maxBytes + 1 - length));
      const got = readWaiting(fd, chunk);
      if (got === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, got));
      length += got;
    }
  } catch (error) {
    throw usageError(`cannot read ${what} ${shown}: ${whyFile(error)}`, 'give a file that you may read');
  } finally {
    if (fd !== null && fd !== 0) closeSync(fd);
  }
  throw usageError(`${what} ${shown} is larger than ${maxBytes / 1024} KiB`, `give ${what} itself, nothing more`);
}

/** A read of a pipe that someone made non-blocking waits all the same. */
function readWaiting(fd: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, chunk, 0, chunk.length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EISDIR: 'it is a folder',
  // Our own: what is there is no file that another one could take the place of.
  ESPECIAL: 'it is a device, a pipe or a socket',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  EEXIST: 'it exists already',
};

/** Why a file operation failed, in words, without the system's own text. */
export function whyFile(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return WORDS[code] ?? code;
}
