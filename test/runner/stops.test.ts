import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { statOf } from '../../daemon/runner/session.ts';
import { watchStops } from '../../daemon/runner/stops.ts';

test('a command that is stopped and continued all the time costs a look in ten milliseconds, and no stop is missed', async () => {
  const child = spawn('sleep', ['100'], { stdio: 'ignore' });
  const { pid = 0 } = child;
  process.kill(pid, 'SIGSTOP');
  await vi.waitUntil(() => statOf(pid)?.[0] === 'T');
  vi.useFakeTimers();
  let stops = 0;
  const watch = watchStops(pid, () => stops++);
  onTestFinished(async () => {
    vi.useRealTimers();
    watch.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  for (let times = 0; times < 1000; times++) {
    process.emit('SIGCHLD', 'SIGCHLD');
    watch.continues();
  }
  expect(stops).toBe(1);
  vi.advanceTimersByTime(10);
  expect(stops).toBe(2);
  vi.advanceTimersByTime(1000);
  expect(stops).toBe(2);
  watch.continues();
  process.emit('SIGCHLD', 'SIGCHLD');
  expect(stops).toBe(3);
});
