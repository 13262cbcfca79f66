import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Identity } from '../../src/access/become.ts';
import { WardenError } from '../../src/kernel/errors.ts';

export interface WrittenFiles {
  /** By the variable that takes it. */
  readonly paths: ReadonlyMap<string, string>;
  /** Never throws. */
  remove(): void;
}

/** Values that a command reads from files: on a memory file system, the caller's alone, for as long as it runs. */
export interface ValueFiles {
  /** @throws WardenError route_unusable where no memory file system is at hand */
  write(values: ReadonlyMap<string, Buffer>, identity: Identity | null): WrittenFiles;
  /** Removes what a daemon that was killed has left. Never throws. */
  sweep(): void;
}

const MEMORY = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */]);
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Each command's files lie in a folder of their own that nobody but us can change, `<pid>.<start time>.<pid
 * namespace>.<random>` after the process that made it, which is how the next one tells what was left behind.
 * @param folders where to look for a memory file system, best first; made where they are missing
 */
export function createValueFiles(folders: readonly string[]): ValueFiles {
  const self = ownName();
  const mine = process.geteuid?.() ?? -1;
  const usable = (): string => {
    const folder = folders.find((candidate) => prepare(candidate, mine));
    if (folder !== undefined) return folder;
    throw new WardenError(
      'route_unusable',
      'there is no memory file system for a value that is handed over as a file',
      {
        hint: `mount a tmpfs at one of ${folders.join(', ')}, or have the route inject it another way`,
      },
    );
  };
  return {
    write(values, identity) {
      const folder = join(usable(), `${self}.${randomBytes(9).toString('hex')}`);
      // Others go through it to a file that is theirs; the name is not to be guessed, and the file opens for one uid.
      makeFolder(folder);
      const names: string[] = [];
      const remove = (): void => removeFolder(folder, names);
      try {
        const paths = new Map<string, string>();
        for (const [variable, value] of values) {
          const name = String(names.length);
          names.push(name);
          writeOne(join(folder, name), value, identity);
          paths.set(variable, join(folder, name));
        }
        return { paths, remove };
      } catch (error) {
        remove();
        throw error;
      }
    },
    sweep() {
      for (const folder of folders) for (const name of entries(folder)) if (isLeft(name)) sweepOne(join(folder, name));
    },
  };
}

/** The user's own run-time folder, and the shared memory of the machine. */
export function userFolders(env: NodeJS.ProcessEnv, uid: number): readonly string[] {
  const runtime = env.XDG_RUNTIME_DIR;
  const own = runtime?.startsWith('/') === true ? [`${runtime}/warden/values`] : [];
  return [...own, `/run/user/${uid}/warden/values`, `/dev/shm/warden-${uid}`];
}

function prepare(folder: string, uid: number): boolean {
  try {
    // Traversable, and named by nobody: the folders in it have names that can't be guessed.
    makeFolder(folder);
    const { uid: owner, mode } = lstatSync(folder);
    return lstatSync(folder).isDirectory() && owner === uid && (mode & 0o066) === 0 && isMemory(folder);
  } catch {
    return false;
  }
}

/** Whatever the umask. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  chmodSync(folder, 0o711);
}

function isMemory(folder: string): boolean {
  return MEMORY.has(statfsSync(folder).type);
}

function writeOne(path: string, value: Buffer, identity: Identity | null): void {
  const fd = openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, value);
    if (identity !== null) fchownSync(fd, identity.uid, identity.gid);
  } finally {
    closeSync(fd);
  }
}

/** The folder is not the caller's: what is in it is what we put there, under names that we know. */
function removeFolder(folder: string, names: readonly string[]): void {
  for (const name of names) quietly(() => unlinkSync(join(folder, name)));
  quietly(() => rmdirSync(folder));
}

function sweepOne(folder: string): void {
  removeFolder(folder, entries(folder));
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Whether a folder's maker is dead. One of another pid namespace can't be asked about, and is left alone. */
function isLeft(name: string): boolean {
  const [pid, start, namespace, random] = name.split('.');
  if (random === undefined || namespace !== pidNamespace()) return false;
  return startTime(Number(pid)) !== start;
}

function ownName(): string {
  return `${process.pid}.${startTime(process.pid)}.${pidNamespace()}`;
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}

/** In clock ticks since boot; null where there is no such process. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // Gone already, or the command's own doing.
  }
}
