import { chmodSync, lchownSync, lstatSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { FileIdentity } from '../callers/caller.ts';
import { WardenError } from '../kernel/errors.ts';
import { effectiveUid } from './effective-uid.ts';
import { type LockFile, takeLock } from './lock-file.ts';
import { native } from './native.ts';
import { ensurePrivateDir } from './private-dir.ts';

/** sockaddr_un holds 108 bytes, a closing NUL among them; Node 20 cuts longer ones off without a word. */
const LONGEST_PATH = 107;
/** As long as the kernel allows: whoever comes while it is full hears EAGAIN, which many clients take for an end. */
const DEFAULT_BACKLOG = 4096;

/** The program that listens, and its option for the path. */
export interface Who {
  readonly program: string;
  readonly option: string;
}

const WARDEND: Who = { program: 'wardend', option: '--socket' };

export interface ListenOptions {
  /** Absolute. A missing parent folder is made 0700. */
  readonly path: string;
  /** True where the parent folder must be ours and 0700 (a name in /tmp that anybody could have made first). */
  readonly privateFolder?: boolean;
  /** Permissions of the socket file, 0o600 say. */
  readonly mode: number;
  /** Gid that the file is given; null leaves the process's own. */
  readonly group: number | null;
  /** Connections that may wait to be accepted. */
  readonly backlog?: number;
  /** True: a connection is not read from before somebody resumes it. */
  readonly pauseOnConnect?: boolean;
  /** True where the other end may close its half before it has its answer. */
  readonly halfOpen?: boolean;
  /** Called in the tick of the accept, with nothing read yet and no listener set. */
  readonly onConnection: (socket: Socket) => void;
  /** Whose words the messages use; wardend's by default. */
  readonly who?: Who;
  /** Failures of accept (out of descriptors, say); the listener goes on. */
  readonly onError?: (error: Error) => void;
}

export interface Listener {
  readonly path: string;
  readonly server: Server;
  /**
   * Stops accepting and removes the socket file if it is still this listener's own. Resolves at once: open
   * connections are left to whoever has them.
   */
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket that is never reachable with looser permissions than `mode`: its file appears
 * narrower, gets its group, then its mode, and only then are connections taken.
 *
 * Throws `socket_in_use` where a daemon is alive behind the path (or is starting on it at this moment),
 * `config_invalid` where the path is too long, taken by something that is no socket, or in a folder that others
 * can change. What a dead daemon left behind is replaced.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { path, who = WARDEND } = options;
  checkPath(path, who);
  ensurePrivateDir(dirname(path), effectiveUid(), options.privateFolder);
  // Held for life: of two daemons that start at once, one finds it taken, and neither can remove the other's socket.
  const lock = takeLock(`${path}.lock`);
  if ('heldBy' in lock) throw inUse(path, lock.heldBy, who);
  try {
    await removeDead(path, who);
    const fd = bindNarrow(path, options.mode);
    const file = lstatSync(path, { bigint: true });
    try {
      widen(path, options.mode, options.group);
    } catch (error) {
      native().close(fd);
      unlinkOwn(path, file);
      throw error;
    }
    const server = await serve(fd, options).catch((error: unknown) => {
      // The descriptor is Node's by now: closing it here too could hit whatever has its number next.
      unlinkOwn(path, file);
      throw error;
    });
    return { path, server, close: () => stop(server, path, file, lock) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Listens on a socket that systemd made and keeps: its file, mode and group are the socket unit's. */
export async function listenInherited(fd: number, options: ServeOptions): Promise<Listener> {
  const server = await serve(fd, options);
  return { path: native().boundPath(fd) ?? '', server, close: () => stopServer(server) };
}

/** Binds without listening: the file exists, nobody but the owner may open it, and connections are refused. */
export function bindNarrow(path: string, mode: number): number {
  return native().bindUnix(path, mode & 0o600);
}

function widen(path: string, mode: number, group: number | null): void {
  if (group !== null) lchownSync(path, -1, group);
  chmodSync(path, mode & 0o777);
}

function checkPath(path: string, { option }: Who): void {
  const bytes = Buffer.byteLength(path);
  if (!path.startsWith('/') || path.includes('\0')) {
    throw new WardenError('config_invalid', `the socket path ${JSON.stringify(path)} is not absolute`, {
      hint: 'give an absolute path',
    });
  }
  if (bytes > LONGEST_PATH) {
    throw new WardenError(
      'config_invalid',
      `the socket path is ${bytes} bytes long, and ${LONGEST_PATH} are possible: ${path}`,
      {
        hint: `give a shorter ${option} path`,
      },
    );
  }
}

/** The lock is ours, so whatever answers here is no wardend that keeps to it; it is left alone all the same. */
async function removeDead(path: string, who: Who): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new WardenError('config_invalid', `${path} exists and is no socket`, {
      hint: `move it away, or give another ${who.option} path`,
    });
  }
  if (await answers(path)) throw inUse(path, null, who);
  unlinkSync(path);
}

/** Anything but a plain refusal counts as alive: a full backlog and a missing permission are somebody's. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

type ServeOptions = Pick<ListenOptions, 'onConnection' | 'onError' | 'backlog' | 'pauseOnConnect' | 'halfOpen'>;

function serve(fd: number, options: ServeOptions): Promise<Server> {
  const { pauseOnConnect = false, halfOpen: allowHalfOpen = false } = options;
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect, allowHalfOpen }, options.onConnection);
    server.once('error', reject);
    server.listen({ fd, backlog: options.backlog ?? DEFAULT_BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', options.onError ?? (() => {}));
      resolve(server);
    });
  });
}

async function stop(server: Server, path: string, file: FileIdentity, lock: LockFile): Promise<void> {
  // The file goes first: a client then sees that nobody is there rather than a refusal.
  unlinkOwn(path, file);
  await stopServer(server);
  lock.release();
}

function unlinkOwn(path: string, file: FileIdentity): void {
  const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (now !== undefined && now.ino === file.ino && now.dev === file.dev) unlinkSync(path);
}

function stopServer(server: Server): Promise<void> {
  // Its callback waits for every open connection, which is not ours to wait for; the listening ends at once.
  if (server.listening) server.close();
  return Promise.resolve();
}

function inUse(path: string, pid: number | null, { program, option }: Who): WardenError {
  const who = pid === null ? `another ${program === 'wardend' ? 'daemon' : program}` : `the ${program} with pid ${pid}`;
  const message = `the socket ${path} is in use by ${who}`;
  return program === 'wardend'
    ? new WardenError('socket_in_use', message)
    : new WardenError('socket_in_use', message, { hint: `use that one, or give this one its own ${option}` });
}
