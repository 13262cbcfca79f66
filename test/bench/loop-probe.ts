// Preloaded into a daemon (`node --import`): how long its event loop stood still at most, in milliseconds, and how much
// of its longest stretch of work was spent on the CPU; the difference is the machine, which gave the CPU to others.
import { openSync, readSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

export interface LoopPauses {
  readonly longestMs: number;
  readonly longestOnCpuMs: number;
}

const file = process.env.WARDEN_BENCH_LOOP;
if (isMainThread && file !== undefined) {
  const schedstat = openSync('/proc/self/schedstat', 'r');
  const buffer = Buffer.alloc(128);
  const onCpu = (): number =>
    Number(buffer.toString('latin1', 0, readSync(schedstat, buffer, 0, 128, 0)).split(' ')[0]) / 1e6;
  let seen = { now: performance.now(), cpu: onCpu() };
  let worst: LoopPauses = { longestMs: 0, longestOnCpuMs: 0 };
  setInterval(() => {
    const next = { now: performance.now(), cpu: onCpu() };
    worst = {
      longestMs: Math.max(worst.longestMs, next.now - seen.now),
      longestOnCpuMs: Math.max(worst.longestOnCpuMs, next.cpu - seen.cpu),
    };
    seen = next;
  }, 1).unref();
  // From here on it counts anew: the start of a daemon is no pause.
  process.on('SIGUSR2', () => {
    writeFileSync(file, JSON.stringify(worst));
    worst = { longestMs: 0, longestOnCpuMs: 0 };
  });
}
