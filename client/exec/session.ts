import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { WardenError } from '../../src/kernel/errors.ts';
import type { Channel, DuplexCall } from '../../src/rpc/client/channel.ts';
import type {
  ExecEnded,
  ExecRequest,
  ExecResponse,
  ExecStart,
  ExecStarted,
} from '../../src/rpc/generated/warden/v1/warden.ts';
import { EXEC } from '../exec-method.ts';
import { inForeground } from './job-control.ts';
import { terminalSize } from './request.ts';
import { type Sink, sink, source } from './stdio.ts';
import { OuterTerminal } from './terminal.ts';

const CHUNK_BYTES = 64 * 1024;
/** Under way and not yet taken by the command: signals get past so little. */
const MOST_UNTAKEN_BYTES = 128 * 1024;
/** A job that runs on in the background is not told when it comes to the foreground. */
const LOOK_MS = 200;
/** What a program is sent to end it, or to tell it something; the command gets it in our stead. */
const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGWINCH',
];

export interface Session {
  readonly started: ExecStarted;
  readonly ended: ExecEnded;
}

/**
 * One command from start to end on this program's own streams. `onStarted` runs before the first of its output.
 * @throws RpcError the daemon's no, WardenError daemon_unreachable also where it goes away while the command runs
 */
export async function runSession(
  channel: Channel,
  start: ExecStart,
  onStarted: (started: ExecStarted) => void,
): Promise<Session> {
  const call = channel.duplex(EXEC.service, EXEC.method);
  await call.send({ message: { $case: 'start', value: start } });
  start.openbaoToken.fill(0);
  let session: RunningSession | null = null;
  let started: ExecStarted | null = null;
  try {
    for await (const { message } of call.answers) {
      if (message?.$case === 'started') {
        started = message.value;
        onStarted(started);
        session = new RunningSession(call, start);
      } else if (message?.$case === 'ended' && started !== null) {
        await session?.flushed();
        return { started, ended: message.value };
      } else if (message?.$case === 'stopped') await session?.stop();
      else await session?.show(message);
    }
  } finally {
    session?.close();
  }
  throw new WardenError('internal', 'the daemon told neither start nor end of the command', {
    hint: 'make daemon and client the same version',
  });
}

/** While the command runs: what is typed goes to it, what it writes is shown, signals are handed on. */
class RunningSession {
  readonly #call: DuplexCall<ExecRequest, ExecResponse>;
  /** Null: the command has none. */
  readonly #terminal: OuterTerminal | null;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #undo: (() => void)[] = [];
  readonly #input: ReturnType<typeof source> | null;
  /** Bytes of stdin that the command has not been said to have taken. */
  #untaken = 0;
  #sending = false;
  /** With a terminal: ours has been given back, and we have stopped ourselves. */
  #suspended = false;
  /** With a terminal: it is somebody else's, until a look says otherwise. */
  #looking: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(call: DuplexCall<ExecRequest, ExecResponse>, start: ExecStart) {
    this.#call = call;
    this.#terminal = start.terminal === undefined ? null : new OuterTerminal();
    // A command learns that nobody reads by this very signal.
    const onGone = (): void => this.#signal('SIGPIPE');
    this.#stdout = sink(1, onGone);
    this.#stderr = sink(2, onGone);
    for (const name of FORWARDED) {
      if (name === 'SIGWINCH') this.#on(name, () => this.#resize());
      else this.#on(name, () => this.#signal(name));
    }
    process.on('SIGTSTP', this.#suspend);
    this.#undo.push(() => process.off('SIGTSTP', this.#suspend));
    this.#on('SIGCONT', () => this.#resume());
    this.#input = start.stdin ? source() : null;
    this.#undo.push(() => {
      this.#lookNoMore();
      this.#terminal?.restore();
    });
    this.#takeTerminal();
    process.once('exit', this.#restore);
    this.#read();
  }

  async show(message: ExecResponse['message']): Promise<void> {
    if (message?.$case === 'stdout') await this.#stdout.write(message.value);
    else if (message?.$case === 'stderr') await this.#stderr.write(message.value);
    else if (message?.$case === 'stdinTaken') {
      this.#untaken = Math.max(0, this.#untaken - message.value);
      this.#readOn();
    }
  }

  async flushed(): Promise<void> {
    await Promise.all([this.#stdout.flush(), this.#stderr.flush()]);
  }

  close(): void {
    this.#closed = true;
    this.#restore();
    process.off('exit', this.#restore);
    this.#input?.pause();
  }

  readonly #restore = (): void => {
    for (const undo of this.#undo.splice(0)) undo();
  };

  #on(name: NodeJS.Signals, listener: () => void): void {
    process.on(name, listener);
    this.#undo.push(() => process.off(name, listener));
  }

  #read(): void {
    const input = this.#input;
    if (input === null) return;
    input.on('data', (chunk: Buffer) => {
      input.pause();
      this.#sending = true;
      void this.#send(chunk).then(() => {
        this.#sending = false;
        this.#readOn();
      });
    });
    const end = (): void => {
      if (!this.#closed) void this.#call.send({ message: { $case: 'stdinEnd', value: {} } });
    };
    input.once('end', end);
    // A terminal that is gone, a folder for stdin: there is nothing more to read.
    input.once('error', end);
    if (!this.#mayRead()) input.pause();
  }

  async #send(typed: Buffer): Promise<void> {
    for (let at = 0; at < typed.length; at += CHUNK_BYTES) {
      const value = typed.subarray(at, at + CHUNK_BYTES);
      this.#untaken += value.length;
      await this.#call.send({ message: { $case: 'stdin', value } });
    }
  }

  #readOn(): void {
    if (!this.#closed && !this.#sending && this.#untaken < MOST_UNTAKEN_BYTES && this.#mayRead()) this.#input?.resume();
  }

  #mayRead(): boolean {
    if (this.#terminal !== null) return !this.#suspended && this.#looking === null;
    return !isatty(0) || inForeground();
  }

  #signal(name: NodeJS.Signals): void {
    void this.#call.send({ message: { $case: 'signal', value: name } });
  }

  #resize(): void {
    if (this.#terminal !== null) void this.#call.send({ message: { $case: 'resize', value: terminalSize() } });
    else this.#signal('SIGWINCH');
  }

  /**
   * The command stops first, then this program: whoever waits for it sees a stopped job. With a terminal of its own the
   * command puts that in order before, and may not want to stop at all: the daemon says when it has.
   */
  readonly #suspend = async (): Promise<void> => {
    if (this.#terminal !== null) return this.#signal('SIGTSTP');
    await this.#call.send({ message: { $case: 'signal', value: 'SIGSTOP' } });
    process.kill(process.pid, 'SIGSTOP');
  };

  /**
   * The command at its terminal has stopped: so does everything of the job that this program is in, as for Ctrl-Z at
   * the terminal. Where nobody is there to continue it (no shell has started it) the kernel stops nobody, and the
   * command goes on at once.
   */
  async stop(): Promise<void> {
    if (this.#terminal === null || this.#suspended) return;
    this.#suspended = true;
    this.#lookNoMore();
    this.#input?.pause();
    await this.flushed();
    this.#terminal.restore();
    process.off('SIGTSTP', this.#suspend);
    process.kill(0, 'SIGTSTP');
    if (this.#closed) return;
    process.on('SIGTSTP', this.#suspend);
    // Whoever was stopped is told of SIGCONT in the next turn of the event loop.
    for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
    if (this.#suspended) this.#resume();
  }

  #resume(): void {
    this.#suspended = false;
    this.#takeTerminal();
    this.#measure();
    this.#signal('SIGCONT');
    this.#readOn();
  }

  /** Whoever was not in the foreground has not heard of a size that has changed. Node looks for this signal alone. */
  #measure(): void {
    if (this.#terminal !== null) process.emit('SIGWINCH', 'SIGWINCH');
  }

  /** Now, or as soon as it is ours to take. */
  #takeTerminal(): void {
    if (this.#terminal === null || this.#closed) return;
    if (inForeground()) {
      this.#lookNoMore();
      this.#terminal.raw();
    } else if (this.#looking === null) {
      this.#input?.pause();
      this.#looking = setInterval(() => {
        if (!inForeground()) return;
        this.#takeTerminal();
        this.#measure();
        this.#readOn();
      }, LOOK_MS);
    }
  }

  #lookNoMore(): void {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
  }
}

/** The exit code of the command as a shell has it. */
export function codeOf({ exitCode, signal }: ExecEnded): number {
  if (signal === '') return exitCode;
  const number = Object.hasOwn(constants.signals, signal) ? constants.signals[signal as NodeJS.Signals] : 0;
  return 128 + number;
}
