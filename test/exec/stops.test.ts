import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import type { CommandEnd, RunningCommand } from '../../src/access/command-runner.ts';
import type { ExecPeer } from '../../src/operations/exec-peer.ts';
import { type RunOptions, runCommand } from '../../src/operations/run-command.ts';

/** A command at a terminal that stops whenever a test says, and ends once it is killed. */
function stopping(): { running: RunningCommand; stops: () => void; ends: () => void } {
  const stdout = new PassThrough();
  let heard: (written: number) => void = () => {};
  let end: (end: CommandEnd) => void = () => {};
  const ended = new Promise<CommandEnd>((resolve) => {
    end = resolve;
  });
  const ends = (): void => {
    stdout.end();
    end({ exitCode: null, signal: 'SIGKILL' });
  };
  const running: RunningCommand = {
    pid: 1,
    stdin: null,
    stdout,
    stderr: null,
    resize: () => {},
    onStop: (stopped) => {
      heard = stopped;
    },
    signal: (name) => {
      if (name === 'SIGKILL') ends();
    },
    exited: ended,
    ended,
  };
  return { running, stops: () => heard(0), ends };
}

const OPTIONS: Omit<RunOptions, 'timers'> = {
  masker: () => null,
  maxDurationMs: 1,
  bytesPerSecond: 1_000_000,
  recording: null,
  monotonic: () => 0,
  signal: new AbortController().signal,
};

const peerThat = (send: ExecPeer['send']): ExecPeer => ({
  send,
  orders: (async function* () {})(),
  stopping: new AbortController().signal,
});

describe('a command that stops', () => {
  test('again and again while its caller takes nothing: what it has not been told yet is told once', async () => {
    const { running, stops, ends } = stopping();
    let told = 0;
    let take: () => void = () => {};
    const ran = runCommand(
      running,
      peerThat(async ({ kind }) => {
        if (kind === 'stopped') told += 1;
        await new Promise<void>((resolve) => (take = resolve));
      }),
      { ...OPTIONS, timers: { after: () => () => {} } },
    );
    for (let times = 0; times < 1000; times++) stops();
    await vi.waitUntil(() => told === 1);
    take();
    await new Promise((resolve) => setImmediate(resolve));
    stops();
    await vi.waitUntil(() => told === 2);
    take();
    ends();
    await ran;
    expect(told).toBe(2);
  });

  test('whose caller never takes the word of it is over all the same, once its time is up', async () => {
    const { running, stops } = stopping();
    const due: (() => void)[] = [];
    const after = (_ms: number, run: () => void): (() => void) => {
      due.push(run);
      return () => {};
    };
    const ran = runCommand(
      running,
      peerThat(() => new Promise(() => {})),
      { ...OPTIONS, timers: { after } },
    );
    stops();
    await new Promise((resolve) => setImmediate(resolve));
    // Its duration, SIGKILL, and the time for what is left.
    for (let at = 0; at < due.length && at < 10; at++) due[at]?.();
    expect((await ran).ended?.code).toBe('duration_exceeded');
  });
});
