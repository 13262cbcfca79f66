import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WardenError } from '../kernel/errors.ts';

/** A key of 16384 bits is a tenth of it. */
const MAX_FILE = 128 * 1024;

/**
 * `private`: nobody but the owner. `credential`: the service manager's folder guards it, and where the service
 * has a user of its own, systemd lets that user in by an access list whose mask shows as group read (0440).
 * `public`: anyone may read; who may write could add an authority.
 */
export type KeyFileKind = 'private' | 'credential' | 'public';

const FORBIDDEN: Readonly<Record<KeyFileKind, number>> = { private: 0o077, credential: 0o037, public: 0o022 };
const MEND: Readonly<Record<KeyFileKind, string>> = {
  private: 'chmod 600',
  credential: 'chmod 400',
  public: 'chmod 644',
};

export interface KeyFile {
  /** The caller wipes them. */
  readonly bytes: Buffer;
  /** Milliseconds since the epoch. */
  readonly writtenAt: number;
  /** Judges mode and owner, once the content has shown what the file is. @throws WardenError config_invalid */
  guard(kind: KeyFileKind): void;
}

/**
 * Reads a regular file. Symbolic links are followed, since Kubernetes and some secret managers deliver keys
 * through them: what was opened is what is judged, so a link can lead to no file that would not have been taken
 * under its own name; and a link of anyone but root and `uid` is refused, as it could be turned later.
 * @throws WardenError config_invalid
 */
export async function readKeyFile(path: string, uid: number): Promise<KeyFile> {
  const named = await lstat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (named.isSymbolicLink() && !ownedBy(named, uid)) {
    throw invalid(`${path} is a symbolic link of another user`, `name the file itself, or chown -h root ${path}`);
  }
  // Without O_NONBLOCK a FIFO put there would hold the daemon until someone writes.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  const handle = await open(path, flags).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw invalid(`${path} is not a regular file`, 'name the file that holds the key');
    if (stats.size > MAX_FILE) throw invalid(`${path} is too long for a key`, 'name the file that holds the key');
    const writtenAt = Math.floor(stats.mtimeMs);
    return { bytes: await readAll(handle, stats.size), writtenAt, guard: (kind) => guard(path, stats, kind, uid) };
  } finally {
    await handle.close();
  }
}

/**
 * Writes a private key file, 0600, whole or not at all, and durable. False where a file of that name is there
 * already: it is never overwritten.
 */
export async function writeKeyFile(path: string, bytes: Buffer): Promise<boolean> {
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.chmod(0o600);
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Unlike a rename, a link does not replace what is there.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync().finally(() => folder.close());
  return true;
}

async function readAll(handle: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function guard(path: string, stats: Stats, kind: KeyFileKind, uid: number): void {
  if (!ownedBy(stats, uid)) {
    throw invalid(
      `${path} belongs to uid ${stats.uid}`,
      `give it to root or to the daemon's user: chown ${uid} ${path}`,
    );
  }
  const mode = stats.mode & 0o7777;
  if ((mode & FORBIDDEN[kind]) === 0) return;
  const shown = mode.toString(8).padStart(4, '0');
  const what = kind === 'public' ? 'is writable by others' : 'is open to others';
  throw invalid(`${path} ${what} (mode ${shown})`, `${MEND[kind]} ${path}`);
}

function ownedBy(stats: Stats, uid: number): boolean {
  return stats.uid === 0 || stats.uid === uid;
}

function unreadable(path: string, cause: unknown): WardenError {
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'is not there' : `cannot be read (${code ?? 'unknown error'})`;
  return new WardenError('config_invalid', `${path} ${why}`, {
    hint: code === 'ENOENT' ? `make a key: ssh-keygen -t ed25519 -f ${path}` : `give it to the daemon's user`,
    cause,
  });
}

function invalid(message: string, hint: string): WardenError {
  return new WardenError('config_invalid', message, { hint });
}
