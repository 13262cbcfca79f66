import { WardenError } from '../src/kernel/errors.ts';
import { native } from '../src/unix/native.ts';
import { SO_ACCEPTCONN, SO_DOMAIN, SO_TYPE } from '../src/unix/system-calls.ts';

const FIRST_FD = 3;
const MOST = 16;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

export interface InheritedSocket {
  readonly fd: number;
  /** As `FileDescriptorName=` has it; `unknown` where systemd gave none. */
  readonly name: string;
}

/** Reads systemd's LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; empty where they are absent or meant for another process. */
export function parseListenFds(env: NodeJS.ProcessEnv, pid: number): InheritedSocket[] {
  if (env.LISTEN_PID !== String(pid) || !/^\d{1,2}$/.test(env.LISTEN_FDS ?? '')) return [];
  const count = Math.min(Number(env.LISTEN_FDS), MOST);
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST_FD + i, name: names[i] || 'unknown' }));
}

/** The name in the socket unit (`FileDescriptorName=`) of the one that answers systemd's `LoadCredential=`. */
const CREDENTIALS = 'credentials';

export interface AssignedSockets {
  /** Those that callers come in by: whatever is not for something else. */
  readonly callers: readonly InheritedSocket[];
  readonly credentials: readonly InheritedSocket[];
}

/** What each of them is for. */
export function assignSockets(sockets: readonly InheritedSocket[]): AssignedSockets {
  return {
    callers: sockets.filter(({ name }) => name !== CREDENTIALS),
    credentials: sockets.filter(({ name }) => name === CREDENTIALS),
  };
}

/**
 * Takes over what systemd handed to this process: checked to be listening Unix stream sockets, kept from
 * children, and the variables removed so that no child takes itself for the addressee. Throws `config_invalid`
 * where a descriptor is something else.
 */
export function takeListenFds(env: NodeJS.ProcessEnv = process.env, pid: number = process.pid): InheritedSocket[] {
  const sockets = parseListenFds(env, pid);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  const kernel = native();
  for (const { fd, name } of sockets) {
    const is = [SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN].map((option) => kernel.socketOption(fd, option));
    // One in the abstract namespace has no permissions: anybody could come in.
    const fits = is[0] === AF_UNIX && is[1] === SOCK_STREAM && is[2] === 1 && kernel.boundPath(fd) !== null;
    if (!fits) {
      throw new WardenError(
        'config_invalid',
        `descriptor ${fd} (${name}) is not a listening Unix stream socket with a path`,
        {
          hint: 'use ListenStream= with an absolute path in the socket unit',
        },
      );
    }
    kernel.closeOnExec(fd);
  }
  return sockets;
}
