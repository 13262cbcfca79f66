import { constants, openSync, readlinkSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runnerCalls } from '../../daemon/runner/calls.ts';
import { Output } from '../../daemon/runner/output.ts';
import { MOST_HELD_BYTES } from '../../src/access/command-runner.ts';

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;

test('holds no more for a command that writes and stops again and again, while nobody takes what it wrote', () => {
  const master = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK);
  const waiting = runnerCalls().openSlave(master);
  const slave = openSync(readlinkSync(`/proc/self/fd/${waiting}`), O_RDWR | O_NOCTTY | O_NONBLOCK);
  const output = new Output(master, 'terminal');
  let written = 0;
  try {
    for (let stops = 0; stops < 1000; stops++) {
      written += writtenNow(slave, 'x'.repeat(2048));
      expect(output.writtenUntilNow()).toBe(output.readableLength);
    }
    expect(output.readableLength).toBeGreaterThan(MOST_HELD_BYTES);
    expect(output.readableLength).toBeLessThanOrEqual(2 * MOST_HELD_BYTES);
    expect(written).toBeLessThan(4 * MOST_HELD_BYTES);
  } finally {
    output.destroy();
  }
});

/** 0: the terminal is full, and whoever writes there waits. */
function writtenNow(fd: number, text: string): number {
  try {
    return writeSync(fd, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
