import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { CommandEnd, RunningCommand, Terminal } from '../../src/access/command-runner.ts';
import { runnerCalls } from './calls.ts';
import { Input } from './input.ts';
import type { Ends } from './launch.ts';
import { Output } from './output.ts';
import { LINGER_MS } from './session.ts';

export interface Started {
  readonly pid: number;
  /** Taken over: closed at the end. */
  readonly ends: Ends;
  /** Never rejects. Null: nobody is there any more to tell. */
  readonly exit: Promise<CommandEnd | null>;
  signal(name: NodeJS.Signals): void;
  /** With a terminal: each time that it has stopped. */
  onStop(stopped: () => void): void;
}

/** The streams of a command over our ends of it, and the end in its order: all output, then how it ended. */
export function runningCommand({ pid, ends, exit, signal, onStop }: Started): RunningCommand {
  let ended = false;
  void exit.then(() => {
    ended = true;
  });
  const whileItRuns = (name: NodeJS.Signals): void => {
    if (!ended) signal(name);
  };
  return ends.kind === 'terminal'
    ? onTerminal(pid, ends, exit, whileItRuns, onStop)
    : onPipes(pid, ends, exit, whileItRuns);
}

function onTerminal(
  pid: number,
  { master, slave }: Extract<Ends, { kind: 'terminal' }>,
  exit: Started['exit'],
  signal: Started['signal'],
  onStop: Started['onStop'],
): RunningCommand {
  const output = new Output(master, 'terminal');
  const input = new Input(output.socket, true);
  const ended = exit.then(async (end) => {
    output.settle();
    await closed(output);
    // Until here it kept the terminal from hanging up, which can cost the last output.
    closeSync(slave);
    return end;
  });
  return {
    pid,
    stdin: input,
    stdout: output,
    stderr: null,
    resize: ({ columns, rows }: Terminal) => {
      if (!output.destroyed && !output.readableEnded) runnerCalls().windowSize(slave, columns, rows);
    },
    signal,
    onStop: (stopped) => onStop(() => stopped(output.writtenUntilNow())),
    exited: exit,
    ended,
  };
}

function onPipes(
  pid: number,
  ends: Extract<Ends, { kind: 'pipes' }>,
  exit: Started['exit'],
  signal: Started['signal'],
): RunningCommand {
  const stdout = new Output(ends.stdout, 'pipe');
  const stderr = new Output(ends.stderr, 'pipe');
  const stdin =
    ends.stdin === null ? null : new Input(new Socket({ fd: ends.stdin, readable: false, writable: true }), false);
  const ended = exit.then(async (end) => {
    stdin?.destroy();
    const linger = setTimeout(() => {
      stdout.settle();
      stderr.settle();
    }, LINGER_MS);
    await Promise.all([closed(stdout), closed(stderr)]);
    clearTimeout(linger);
    return end;
  });
  return { pid, stdin, stdout, stderr, resize: () => {}, signal, onStop: () => {}, exited: exit, ended };
}

/** Once everything was taken, or nobody wants it any more. */
function closed(stream: Readable): Promise<void> {
  return stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once('close', () => resolve()));
}
