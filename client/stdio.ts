import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const RETRY_MS = 5;

/**
 * stdout or stderr by its descriptor: everything is written when `write` returns, so that the process may end at
 * any time, and none of Node's stream machinery is loaded. Behind a reader that left, the rest goes nowhere and the
 * command runs on: `warden ledger verify | head -1` of a broken ledger must not end like that of a whole one.
 */
export function stdio(fd: 1 | 2): {
  readonly isTTY: boolean;
  readonly left: boolean;
  write(text: string | Uint8Array): void;
} {
  let left = false;
  return {
    get isTTY() {
      return isatty(fd);
    },
    /** Its reader is gone. */
    get left() {
      return left;
    },
    write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length && !left; ) {
        const written = writeSome(fd, bytes.subarray(at));
        if (written === null) left = true;
        else at += written;
      }
    },
  };
}

/** How many bytes went out; null where nobody reads any more. */
function writeSome(fd: number, bytes: Buffer): number | null {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return null;
    if (code !== 'EAGAIN') process.exit(5);
    // A pipe that someone made non-blocking is full: its reader needs a moment.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    return 0;
  }
}
