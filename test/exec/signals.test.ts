import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { CommandEnd, RunningCommand } from '../../src/access/command-runner.ts';
import type { ExecOrder, ExecPeer } from '../../src/operations/exec-peer.ts';
import { runCommand } from '../../src/operations/run-command.ts';

/** Time that passes for whoever waits. */
function virtualTime() {
  let now = 0;
  return {
    monotonic: () => now,
    timers: {
      after: (ms: number, run: () => void) => {
        // The long ones are for the end of a command, which comes by itself here.
        if (ms > 2_000) return () => {};
        const immediate = setImmediate(() => {
          now += ms;
          run();
        });
        return () => clearImmediate(immediate);
      },
    },
  };
}

async function signalled(orders: readonly NodeJS.Signals[]): Promise<number[]> {
  const { monotonic, timers } = virtualTime();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const at: number[] = [];
  let end: (end: CommandEnd) => void = () => {};
  const running: RunningCommand = {
    pid: 1,
    stdin: null,
    stdout,
    stderr,
    resize: () => {},
    onStop: () => {},
    exited: new Promise(() => {}),
    signal: () => {
      at.push(monotonic());
      if (at.length < orders.length) return;
      stdout.end();
      stderr.end();
      end({ exitCode: 0, signal: null });
    },
    ended: new Promise((resolve) => {
      end = resolve;
    }),
  };
  const peer: ExecPeer = {
    send: async () => {},
    orders: (async function* (): AsyncGenerator<ExecOrder> {
      for (const name of orders) yield { kind: 'signal', name };
    })(),
    stopping: new AbortController().signal,
  };
  await runCommand(running, peer, {
    masker: () => null,
    maxDurationMs: 3_600_000,
    bytesPerSecond: 1_000_000,
    recording: null,
    timers,
    monotonic,
    signal: new AbortController().signal,
  });
  return at;
}

const many = (count: number, name: NodeJS.Signals): NodeJS.Signals[] => Array(count).fill(name);

test('a few signals reach the command at once', async () => {
  expect(await signalled(['SIGINT', 'SIGTERM', 'SIGTERM', 'SIGWINCH', 'SIGTERM', 'SIGKILL'])).toEqual([
    0, 0, 0, 0, 0, 0,
  ]);
});

test('a flood of those that mean the end, each of which is a look at every process, comes four a second', async () => {
  const at = await signalled(many(40, 'SIGTERM'));
  expect(at.slice(0, 4)).toEqual([0, 0, 0, 0]);
  expect(at.at(-1)).toBe(9_000);
});

test('a flood of others comes a hundred a second, and holds up none of those that mean the end', async () => {
  const at = await signalled([...many(150, 'SIGUSR1'), 'SIGTERM']);
  expect(at.slice(0, 100).every((ms) => ms === 0)).toBe(true);
  expect(at.at(-2)).toBe(500);
  expect(at.at(-1)).toBe(500);
});

test('a client that takes nothing holds up its command no longer than it may run and a little', async () => {
  let now = 0;
  const timers: { at: number; run: () => void }[] = [];
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const signals: string[] = [];
  const running: RunningCommand = {
    pid: 1,
    stdin: null,
    stdout,
    stderr,
    resize: () => {},
    onStop: () => {},
    exited: new Promise(() => {}),
    signal: (name) => {
      signals.push(`${now} ${name}`);
      if (name !== 'SIGKILL') return;
      stdout.end();
      stderr.end();
    },
    // As a runner's: once all output was read.
    ended: new Promise((resolve) => stdout.once('close', () => resolve({ exitCode: null, signal: 'SIGKILL' }))),
  };
  stdout.write('first');
  stdout.write('second');
  let done = false;
  const ran = runCommand(
    running,
    { send: () => new Promise(() => {}), orders: (async function* () {})(), stopping: new AbortController().signal },
    {
      masker: () => null,
      maxDurationMs: 60_000,
      bytesPerSecond: 1_000_000,
      recording: null,
      timers: {
        after: (ms, run) => {
          const timer = { at: now + ms, run };
          timers.push(timer);
          return () => timers.splice(timers.indexOf(timer), 1);
        },
      },
      monotonic: () => now,
      signal: new AbortController().signal,
    },
  );
  void ran.then(() => {
    done = true;
  });
  for (let turns = 0; turns < 10_000 && !done; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    const [next] = timers.sort((a, b) => a.at - b.at);
    if (next === undefined || done) continue;
    timers.shift();
    now = next.at;
    next.run();
  }
  expect(await ran).toMatchObject({ ended: { code: 'duration_exceeded' }, end: { signal: 'SIGKILL' } });
  expect(signals.slice(0, 3)).toEqual(['60000 SIGTERM', '60000 SIGCONT', '65000 SIGKILL']);
  expect(now).toBeGreaterThanOrEqual(95_000);
  expect(now).toBeLessThan(96_000);
});
