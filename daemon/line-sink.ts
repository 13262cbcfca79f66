import { writeSync } from 'node:fs';

export interface LineSink {
  /** One line, its end included or not. Never throws. */
  write(line: string): void;
}

/** Writes some of the bytes and says how many. @throws as writeSync does */
export type WriteSome = (bytes: Buffer, offset: number) => number;

/** A stderr that somebody made non-blocking and nobody empties: so many milliseconds are waited for it, in all. */
const MOST_WAITS = 20;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes each line at once, for an asynchronous log loses its last words at SIGKILL. A line that can't be written is
 * lost, and how many were is said as soon as one can be: a log on a full disk, a closed terminal or a reader that
 * went away must not take the daemon with it. What must not be lost is in the ledger.
 */
export function lineSink(form: (line: string) => string, writeSome: WriteSome = toStderr): LineSink {
  let lost = 0;
  let torn = false;

  function writeLine(line: string): boolean {
    const bytes = Buffer.from(`${torn ? '\n' : ''}${form(line).trimEnd()}\n`);
    let offset = 0;
    // Who was waited for in vain once is not waited for again at every line.
    for (let waits = lost > 0 ? MOST_WAITS : 0; offset < bytes.length; ) {
      try {
        offset += writeSome(bytes, offset);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EINTR') continue;
        if (code === 'EAGAIN' && waits++ < MOST_WAITS) {
          Atomics.wait(pause, 0, 0, 1);
          continue;
        }
        torn ||= offset > 0;
        return false;
      }
    }
    torn = false;
    return true;
  }

  return {
    write(line) {
      if (
        lost > 0 &&
        writeLine(
          JSON.stringify({ level: 'warn', time: new Date().toISOString(), lines: lost, msg: 'log lines were lost' }),
        )
      )
        lost = 0;
      if (lost > 0 || !writeLine(line)) lost += 1;
    },
  };
}

function toStderr(bytes: Buffer, offset: number): number {
  return writeSync(2, bytes, offset);
}
