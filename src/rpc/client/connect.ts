import { connect as netConnect, type Socket } from 'node:net';

/** Linux cuts a longer socket path silently on some Node versions: it would reach another file. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Why a socket could not be reached. */
export type ConnectFault = 'missing' | 'nobody_listens' | 'no_permission' | 'path_too_long' | 'timeout' | 'other';

export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly fault: ConnectFault;
  readonly path: string;

  constructor(fault: ConnectFault, path: string, message: string) {
    super(message);
    this.fault = fault;
    this.path = path;
  }
}

const FAULTS: Readonly<Record<string, readonly [ConnectFault, string]>> = {
  ENOENT: ['missing', 'there is no socket'],
  ENOTDIR: ['missing', 'there is no socket'],
  ENOTSOCK: ['other', 'the file is no socket'],
  ECONNREFUSED: ['nobody_listens', 'nobody listens'],
  EACCES: ['no_permission', 'no permission'],
  EPERM: ['no_permission', 'no permission'],
};

/** What Linux answers where the queue of a listening Unix socket is full: somebody listens, and is about to take the next. */
const QUEUE_FULL = 'EAGAIN';
const QUEUE_FULL_PAUSE_MS = 20;

/** A connected Unix socket; waits its turn where many connect at once. @throws ConnectError */
export function connectSocket(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      reject(new ConnectError('path_too_long', path, `the path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`));
      return;
    }
    let socket: Socket;
    let again: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      clearTimeout(again);
      socket.destroy();
      reject(new ConnectError('timeout', path, `no connection within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    const attempt = (): void => {
      socket = netConnect({ path });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === QUEUE_FULL) {
          again = setTimeout(attempt, QUEUE_FULL_PAUSE_MS);
          return;
        }
        clearTimeout(timer);
        const [fault, words] = FAULTS[error.code ?? ''] ?? ['other', error.code ?? 'it failed'];
        reject(new ConnectError(fault, path, words));
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.removeAllListeners('error');
        resolve(socket);
      });
    };
    attempt();
  });
}
