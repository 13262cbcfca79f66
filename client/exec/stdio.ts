import { constants, createReadStream, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { isatty } from 'node:tty';

const RETRY_MS = 5;
/** For a reader that is slower than the command: enough that neither waits for each piece of the other. */
const HELD_BYTES = 1024 * 1024;
/** Device 1:3, as the kernel numbers it on every machine. */
const NULL_DEVICE = (1 << 8) | 3;

/** Whether a descriptor is /dev/null, or closed. */
export function isNull(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev === NULL_DEVICE;
  } catch {
    return true;
  }
}

/** Where output goes. Neither rejects. */
export interface Sink {
  /** Resolves once more may be written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves once all of it has left, or never will. */
  flush(): Promise<void>;
}

/**
 * stdout or stderr without Node's own stream, which would block the whole program behind a reader that does not read:
 * signals would not be heard. `onGone` is called once, when nobody reads any more; the rest then goes nowhere.
 */
export function sink(fd: 1 | 2, onGone: () => void): Sink {
  let gone = false;
  const leave = (): void => {
    if (!gone) onGone();
    gone = true;
  };
  const socket = asSocket(fd);
  if (socket === null) return { write: (bytes) => writeAll(fd, bytes, () => gone, leave), flush: async () => {} };
  socket.on('error', leave);
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        if (gone || socket.destroyed || socket.write(bytes)) return resolve();
        const done = (): void => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.on('drain', done);
        socket.on('close', done);
      }),
    flush: () =>
      new Promise((resolve) => {
        if (gone || socket.destroyed || socket.writableLength === 0) return resolve();
        socket.write('', () => resolve());
      }),
  };
}

/** To a file or a terminal, which do not make anybody wait. */
async function writeAll(fd: number, bytes: Uint8Array, gone: () => boolean, leave: () => void): Promise<void> {
  for (let at = 0; at < bytes.length && !gone(); ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') await pause(RETRY_MS);
      else leave();
    }
  }
}

/** stdin, read no faster than it is taken. */
export function source(): Readable {
  if (isatty(0)) return process.stdin;
  const socket = asSocket(0);
  if (socket !== null) return socket;
  return createReadStream('', { fd: 0, autoClose: false });
}

/**
 * A pipe is opened anew, so that it does not become non-blocking for the programs that share it. Null for what is
 * neither pipe nor socket.
 */
function asSocket(fd: 0 | 1 | 2): Socket | null {
  const stats = fstatSync(fd);
  if (!stats.isFIFO() && !stats.isSocket()) return null;
  const own = stats.isFIFO() ? reopened(fd) : fd;
  const options = { fd: own, readable: fd === 0, writable: fd !== 0, writableHighWaterMark: HELD_BYTES };
  return new Socket(options);
}

function reopened(fd: 0 | 1 | 2): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, (fd === 0 ? constants.O_RDONLY : constants.O_WRONLY) | constants.O_NONBLOCK);
  } catch {
    // Another user's pipe, or no /proc: then the one there is has to do.
    return fd;
  }
}
