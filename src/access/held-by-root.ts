import type { BigIntStats } from 'node:fs';
import { lstat, readlink, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const FUSE = 0x65735546;
const MOST_LINKS = 40;
const WRITABLE_BY_OTHERS = 0o022n;

/**
 * Whether nobody but root can change what a path leads to: the file, every folder on the way to it, through links too,
 * is root's and open for no other to write (an ACL shows in the bits of the group). A folder that all may write to is
 * not, sticky or not; nor is a file system that a user serves, which shows what it likes.
 * @param file what the path led to when it was opened
 */
export async function isHeldByRoot(path: string, file: BigIntStats): Promise<boolean> {
  try {
    let at = '/';
    let links = 0;
    let now = await lstat(at, { bigint: true });
    const rest = namesIn(path);
    while (isRoots(now)) {
      const name = rest.shift();
      if (name === undefined) {
        return now.dev === file.dev && now.ino === file.ino && (await statfs(at)).type !== FUSE;
      }
      const next = name === '..' ? dirname(at) : join(at, name);
      now = await lstat(next, { bigint: true });
      if (!now.isSymbolicLink()) at = next;
      else {
        // A link of /proc leads elsewhere than it says.
        if (now.uid !== 0n || at.startsWith('/proc') || ++links > MOST_LINKS) return false;
        const target = await readlink(next);
        rest.unshift(...namesIn(target));
        if (target.startsWith('/')) at = '/';
        now = await lstat(at, { bigint: true });
      }
    }
    return false;
  } catch {
    return false;
  }
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function isRoots({ uid, mode }: BigIntStats): boolean {
  return uid === 0n && (mode & WRITABLE_BY_OTHERS) === 0n;
}
