import type { Readable } from 'node:stream';
import type { RunningCommand } from '../access/command-runner.ts';
import { maskingBetweenTurns } from '../access/mask-between-turns.ts';
import type { Masker } from '../access/masker.ts';
import type { Recording } from '../access/recorder.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { Timers } from '../kernel/timers.ts';
import type { ExecPeer, Ran } from './exec-peer.ts';
import { OutputRate } from './output-rate.ts';

export interface RunOptions {
  /** A masker for each stream, since a value is never split over two; null: output as it is. */
  readonly masker: () => Masker | null;
  readonly maxDurationMs: number;
  readonly bytesPerSecond: number;
  /** Null: nothing of it is recorded. */
  readonly recording: Recording | null;
  readonly timers: Timers;
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** Between SIGTERM and SIGKILL. */
const KILL_AFTER_MS = 5_000;
/** A daemon that stops lets commands go on for so long; with what follows it is well within its own ten seconds. */
const DRAIN_MS = 4_000;
const KILL_WHEN_DRAINING_MS = 3_000;
/** After SIGKILL its caller has so long to take what is left of the output. What was leased lasts no longer. */
const TAKE_WITHIN_MS = 30_000;
/** SIGKILL meets a terminal's foreground group: what comes to the foreground after it is next. */
const KILL_AGAIN_MS = 200;
/** A stream that was quiet for so long gives up what a person may be waiting to see. */
const SETTLE_MS = 10;
/** Of output in one message. */
const CHUNK_BYTES = 256 * 1024;
const NOTHING = new Uint8Array(0);
/** Signals that reach a whole session: each is a look at every process of the machine. So many a second, the rest waits. */
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(['SIGTERM', 'SIGHUP', 'SIGKILL']);
const ENDING_PER_SECOND = 4;
const SIGNALS_PER_SECOND = 100;
/** Of stdin, taken and not yet said: far below what a client may have under way. */
const SAY_TAKEN_BYTES = 32 * 1024;
/** Of stdin, held for the command. Beyond it nothing more is read from the client, signals included. */
const MOST_HELD_BYTES = 1024 * 1024;

/**
 * Carries the streams of a running command to its caller and back until it has ended and all its output has left.
 * Never throws: whatever happens to the caller, the command comes to an end, and its end comes back.
 */
export async function runCommand(running: RunningCommand, peer: ExecPeer, options: RunOptions): Promise<Ran> {
  const { timers, signal, maxDurationMs, recording } = options;
  const rate = new OutputRate(options.bytesPerSecond, options.monotonic);
  let bytes = 0;
  let ended: WardenError | null = null;
  let over = false;
  /** Nobody listens any more: output is read and thrown away, so that the command can end. */
  let lost = false;
  let abandon: () => void = () => {};
  const abandoned = new Promise<void>((resolve) => {
    abandon = resolve;
  });
  const cancels: (() => void)[] = [];
  const later = (ms: number, run: () => void): void => {
    cancels.push(timers.after(ms, run));
  };

  function stop(why: WardenError, killAfterMs = KILL_AFTER_MS): void {
    if (ended !== null || over) return;
    ended = why;
    running.signal('SIGTERM');
    // A shell at a terminal ends for this one alone, and a stopped command hears neither.
    if (running.stderr === null) running.signal('SIGHUP');
    running.signal('SIGCONT');
    later(killAfterMs, kill);
    later(killAfterMs + TAKE_WITHIN_MS, () => {
      lost = true;
      abandon();
    });
  }

  function kill(): void {
    if (over) return;
    running.signal('SIGKILL');
    later(KILL_AGAIN_MS, kill);
  }

  function lose(why: WardenError): void {
    lost = true;
    stop(why);
  }

  async function deliver(kind: 'stdout' | 'stderr', output: Uint8Array): Promise<void> {
    for (let at = 0; at < output.length && !lost; at += CHUNK_BYTES) {
      try {
        const part = output.subarray(at, at + CHUNK_BYTES);
        await recording?.shown(part);
        await Promise.race([peer.send({ kind, bytes: part }), abandoned]);
      } catch (error) {
        lose(asWardenError(error));
      }
    }
  }

  async function pump(kind: 'stdout' | 'stderr', stream: Readable): Promise<void> {
    const masker = options.masker();
    const mask = masker === null ? null : maskingBetweenTurns(masker, options.monotonic);
    let quiet: () => void = () => {};
    // One after the other: what settles must not overtake what came before.
    let sending = Promise.resolve();
    const send = (output: Uint8Array): Promise<void> => {
      if (output.length > 0) sending = sending.then(() => deliver(kind, output));
      return sending;
    };
    let done = 0;
    let stopsAt = Number.POSITIVE_INFINITY;
    let telling = false;
    /** Whoever hears of a stop has seen all that came before it, what looked like the start of a value too. */
    const tellStop = (): void => {
      if (done < stopsAt) return;
      stopsAt = Number.POSITIVE_INFINITY;
      quiet();
      void send(masker?.settle() ?? NOTHING);
      // Who has not been told of one stop yet need not be told of the next: what stops again and again piles nothing up.
      if (telling) return;
      telling = true;
      sending = sending.then(tell);
    };
    const tell = async (): Promise<void> => {
      const told = lost ? null : peer.send({ kind: 'stopped' }).catch((error: unknown) => lose(asWardenError(error)));
      await Promise.race([told, abandoned]);
      telling = false;
    };
    if (kind === 'stdout') {
      running.onStop((written) => {
        stopsAt = written;
        tellStop();
      });
    }
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        quiet();
        bytes += chunk.length;
        const wait = lost ? 0 : rate.spend(chunk.length);
        if (wait > 0) await pause(wait, timers, signal);
        await send(mask === null ? chunk : await mask(chunk));
        if (masker !== null) quiet = timers.after(SETTLE_MS, () => void send(masker.settle()));
        done += chunk.length;
        tellStop();
      }
    } catch {
      // A stream that breaks ends there: how the command ended says the rest.
    }
    quiet();
    if (masker !== null) await send(masker.end());
    await sending;
  }

  async function obey(): Promise<void> {
    const { stdin } = running;
    let closed = stdin === null;
    let untold = 0;
    const endings = new OutputRate(ENDING_PER_SECOND, options.monotonic);
    const signals = new OutputRate(SIGNALS_PER_SECOND, options.monotonic);
    stdin?.on('error', () => {
      closed = true;
    });
    const taken = (count: number): void => {
      untold += count;
      if (untold < SAY_TAKEN_BYTES || closed || lost || over) return;
      const say = untold;
      untold = 0;
      peer.send({ kind: 'stdin_taken', bytes: say }).catch((error: unknown) => lose(asWardenError(error)));
    };
    try {
      for await (const order of peer.orders) {
        if (over) return;
        if (order.kind === 'signal') {
          const wait = (ENDING.has(order.name) ? endings : signals).spend(1);
          if (wait > 0) await pause(wait, timers, signal);
          running.signal(order.name);
        } else if (order.kind === 'resize') {
          running.resize(order.terminal);
          await recording?.resized(order.terminal);
        } else if (closed || stdin === null) continue;
        else if (order.kind === 'stdin_end') {
          closed = true;
          // A terminal that hangs up does so with a signal; a pipe ends.
          if (running.stderr === null) running.signal('SIGHUP');
          else stdin.end();
        } else {
          const { bytes: typed } = order;
          stdin.write(typed, (error) => {
            if (error === null || error === undefined) taken(typed.length);
          });
          if (stdin.writableLength > MOST_HELD_BYTES) await drained(stdin, signal);
        }
      }
      // A client that says that it will send nothing more has no more input either. A terminal stays until it hangs up.
      if (!closed && running.stderr !== null) stdin?.end();
    } catch (error) {
      lose(asWardenError(error));
    }
  }

  const onGone = (): void => lose(new WardenError('caller_gone', 'the client went away while its command ran'));
  const onStopping = (): void =>
    later(DRAIN_MS, () =>
      stop(new WardenError('draining', 'the daemon stopped while the command ran'), KILL_WHEN_DRAINING_MS),
    );
  signal.addEventListener('abort', onGone);
  peer.stopping.addEventListener('abort', onStopping);
  if (signal.aborted) onGone();
  if (peer.stopping.aborted) onStopping();
  later(maxDurationMs, () =>
    stop(new WardenError('duration_exceeded', `the command ran for ${spoken(maxDurationMs)}, as long as it may`)),
  );

  const { stdout, stderr } = running;
  const output = Promise.all([pump('stdout', stdout), stderr === null ? null : pump('stderr', stderr)]);
  void obey();
  const end = await running.ended;
  await output;
  over = true;
  for (const cancel of cancels) cancel();
  signal.removeEventListener('abort', onGone);
  peer.stopping.removeEventListener('abort', onStopping);
  return { end, bytes, ended };
}

function pause(ms: number, timers: Timers, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = timers.after(ms, done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

function drained(stdin: NonNullable<RunningCommand['stdin']>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error']) stdin.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stdin.on(event, done);
    signal.addEventListener('abort', done);
    if (signal.aborted || stdin.destroyed) done();
  });
}

function spoken(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}
