import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { usageError } from './args.ts';
import { whyFile } from './bounded-file.ts';

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
    /** Nothing that is written arrives any more. */
    get left() {
      return left;
    },
    write(text) {
      const bytes = Buffer.from(text);
      try {
        for (let at = 0; at < bytes.length && !left; ) at += writeSome(fd, bytes.subarray(at));
      } catch (error) {
        left = true;
        // What cannot be said on stderr cannot be said at all, and changes nothing of how the command ends.
        if (fd === 2 || (error as NodeJS.ErrnoException).code === 'EPIPE') return;
        throw usageError(`cannot write to stdout: ${whyFile(error)}`, 'send it elsewhere');
      }
    },
  };
}

/** How many bytes went out. */
function writeSome(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    // A pipe that someone made non-blocking is full: its reader needs a moment.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    return 0;
  }
}
