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

const CHUNK_BYTES = 64 * 1024;
/** Under way and not yet taken by the command: signals get past so little. */
const MOST_UNTAKEN_BYTES = 128 * 1024;
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
      } else await session?.show(message);
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
  readonly #terminal: boolean;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #undo: (() => void)[] = [];
  readonly #input: ReturnType<typeof source> | null;
  /** Bytes of stdin that the command has not been said to have taken. */
  #untaken = 0;
  #sending = false;
  #closed = false;

  constructor(call: DuplexCall<ExecRequest, ExecResponse>, start: ExecStart) {
    this.#call = call;
    this.#terminal = start.terminal !== undefined;
    // A command learns that nobody reads by this very signal.
    const onGone = (): void => this.#signal('SIGPIPE');
    this.#stdout = sink(1, onGone);
    this.#stderr = sink(2, onGone);
    for (const name of FORWARDED) {
      if (name === 'SIGWINCH') this.#on(name, () => this.#resize());
      else this.#on(name, () => this.#signal(name));
    }
    this.#on('SIGTSTP', () => void this.#suspend());
    this.#on('SIGCONT', () => this.#resume());
    this.#input = start.stdin ? source() : null;
    if (this.#terminal) this.#raw(true);
    this.#undo.push(() => this.#raw(false));
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
    return this.#terminal || !isatty(0) || inForeground();
  }

  #signal(name: NodeJS.Signals): void {
    void this.#call.send({ message: { $case: 'signal', value: name } });
  }

  #resize(): void {
    if (this.#terminal) void this.#call.send({ message: { $case: 'resize', value: terminalSize() } });
    else this.#signal('SIGWINCH');
  }

  /** The command stops first, then this program: whoever waits for it sees a stopped job. */
  async #suspend(): Promise<void> {
    await this.#call.send({ message: { $case: 'signal', value: 'SIGSTOP' } });
    if (this.#terminal) this.#raw(false);
    process.kill(process.pid, 'SIGSTOP');
  }

  #resume(): void {
    if (this.#terminal) {
      this.#raw(true);
      this.#resize();
    }
    this.#signal('SIGCONT');
    this.#readOn();
  }

  #raw(on: boolean): void {
    if (this.#terminal && process.stdin.isTTY) process.stdin.setRawMode(on);
  }
}

/** The exit code of the command as a shell has it. */
export function codeOf({ exitCode, signal }: ExecEnded): number {
  if (signal === '') return exitCode;
  const number = Object.hasOwn(constants.signals, signal) ? constants.signals[signal as NodeJS.Signals] : 0;
  return 128 + number;
}
