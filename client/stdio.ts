import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const RETRY_MS = 5;

/**
 * stdout or stderr by its descriptor: everything is written when `write` returns, so that the process may end at
 * any time, and none of Node's stream machinery is loaded. A reader that left ends the process quietly.
 */
export function stdio(fd: 1 | 2): { readonly isTTY: boolean; write(text: string | Uint8Array): void } {
  return {
    get isTTY() {
      return isatty(fd);
    },
    write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSome(fd, bytes.subarray(at));
    },
  };
}

function writeSome(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // `warden actors | head -1` is no failure worth a stack trace.
    if (code === 'EPIPE') process.exit(0);
    if (code !== 'EAGAIN') process.exit(5);
    // A pipe that someone made non-blocking is full: its reader needs a moment.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    return 0;
  }
}
