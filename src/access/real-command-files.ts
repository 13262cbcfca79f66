import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WardenError } from '../kernel/errors.ts';
import type { CommandFiles } from './command-files.ts';

const MAX_BYTES = 512n * 1024n * 1024n;

/** With the daemon's own eyes. */
export const realCommandFiles: CommandFiles = {
  place: (path) =>
    realpath(dirname(path)).then(
      (folder) => join(folder, basename(path)),
      () => path,
    ),
  async digest(path) {
    const { sha256, stats } = await read(path);
    return {
      sha256,
      async unchanged() {
        const now = await stat(path, { bigint: true }).catch(() => null);
        return now !== null && sameBytes(stats, now);
      },
    };
  },
};

async function read(path: string): Promise<{ sha256: string; stats: BigIntStats }> {
  try {
    const file = await open(path);
    try {
      const stats = await file.stat({ bigint: true });
      if (stats.size > MAX_BYTES) throw unreadable(path, 'it is too big');
      const hash = createHash('sha256');
      for await (const chunk of createReadStream('', { fd: file, autoClose: false })) hash.update(chunk as Buffer);
      return { sha256: hash.digest('hex'), stats };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw cause instanceof WardenError ? cause : unreadable(path, 'the daemon may not read it', cause);
  }
}

/** The inode's ctime moves with every write and rename, and nobody but the superuser can set it back. */
function sameBytes(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

function unreadable(path: string, why: string, cause?: unknown): WardenError {
  return new WardenError('command_not_allowed', `the digest of ${path} cannot be had: ${why}`, { cause });
}
