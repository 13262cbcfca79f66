import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Identity } from '../../src/access/become.ts';
import type { CommandEnd, Terminal } from '../../src/access/command-runner.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { native } from '../../src/unix/native.ts';
import type { CallerProcess } from './caller-process.ts';
import { runnerCalls } from './calls.ts';
import { chain } from './chain.ts';
import { LIFE_DESCRIPTOR, PERL_VARIABLES, takenFromPerl } from './job-control.ts';
import { ownBounds } from './own-bounds.ts';
import { takenFromSecure } from './secure-environment.ts';
import { continues, endWhatIsLeft, signalSession } from './session.ts';
import { watchStops } from './stops.ts';
import { tools } from './tools.ts';
import type { ValueFiles } from './value-files.ts';

/** A command as the process that starts it gets it: all decided, all read, values as bytes. */
export interface Launch {
  readonly program: string;
  /** A descriptor that is executed in the place of `program`, and stays its owner's; null: none. */
  readonly copy: number | null;
  /** Without argv[0]. */
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, EnvValue>;
  /** Null: the other end is handed out. */
  readonly stdin: Buffer | null;
  /** By the variable that takes the path. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** By number. */
  readonly descriptors: ReadonlyMap<number, Buffer>;
  readonly terminal: Terminal | null;
  readonly jobControl: boolean;
  readonly network: boolean;
  /** Null: stay who we are. */
  readonly identity: Identity | null;
  readonly caller: CallerProcess;
}

export interface EnvValue {
  readonly text: string;
  /** It must reach no argv, not even for a moment. */
  readonly secret: boolean;
}

/** Our ends of what the command has for 0, 1 and 2. Whoever takes them over closes them. */
export type Ends =
  | { readonly kind: 'pipes'; readonly stdin: number | null; readonly stdout: number; readonly stderr: number }
  | { readonly kind: 'terminal'; readonly master: number; readonly slave: number };

export interface Launched {
  readonly pid: number;
  readonly ends: Ends;
  /** Never rejects. Output may still be on its way. */
  readonly exit: Promise<CommandEnd>;
  signal(name: NodeJS.Signals): void;
  /** With a terminal and job control: each time that it has stopped. */
  onStop(stopped: () => void): void;
}

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
/** What a command may write before it waits for us. A user has 64 MiB of such room, so stderr keeps the usual 64 KiB. */
const STDOUT_PIPE_BYTES = 256 * 1024;
/** Where a command has the copy that it runs from: above what routes inject, and LIFE_DESCRIPTOR. A script's interpreter reads it there. */
const COPY_DESCRIPTOR = 65;
/** Any group that is not our own. */
const OTHER_GROUP = 65_534;

/**
 * Starts a command. Everything until the child runs happens in one tick, and what was opened for it is closed again
 * whatever goes wrong.
 * @throws WardenError command_not_executable | route_unusable | invalid_request
 */
export async function launch(request: Launch, valueFiles: ValueFiles): Promise<Launched> {
  const opened = new Set<number>();
  const close = (fd: number): void => {
    if (opened.delete(fd)) closeSync(fd);
  };
  const files = request.files.size === 0 ? null : valueFiles.write(request.files, request.identity);
  try {
    const { stdio, ends, feeds, life } = openAll(request, opened);
    const env = new Map(request.env);
    for (const [variable, path] of files?.paths ?? []) env.set(variable, { text: path, secret: false });
    const child = start(request, env, stdio);
    for (const fd of stdio) if (typeof fd === 'number' && !isOurs(fd, ends)) close(fd);
    const { pid } = child;
    if (pid === undefined) throw await startFailure(child);
    for (const { fd, value } of feeds) {
      opened.delete(fd);
      feed(fd, value);
    }
    const terminal = request.terminal !== null;
    let stopped = (): void => {};
    const watch = life === null ? null : watchStops(pid, () => stopped());
    const exit = exitOf(child, pid, () => {
      watch?.close();
      if (life !== null) close(life);
      files?.remove();
      endWhatIsLeft(pid);
    });
    const signal = (name: NodeJS.Signals): void => {
      signalSession(pid, terminal, name);
      if (continues(name)) watch?.continues();
    };
    const onStop = (listener: () => void): void => {
      stopped = listener;
    };
    return { pid, ends, exit, signal, onStop };
  } catch (error) {
    files?.remove();
    for (const fd of [...opened]) close(fd);
    throw error;
  }
}

interface Opened {
  readonly stdio: readonly (number | 'ignore')[];
  readonly ends: Ends;
  readonly feeds: readonly { readonly fd: number; readonly value: Buffer }[];
  /** Held while the command runs; null without job control. */
  readonly life: number | null;
}

function openAll(request: Launch, opened: Set<number>): Opened {
  const calls = runnerCalls();
  const feeds: { fd: number; value: Buffer }[] = [];
  const keep = (fd: number): number => {
    opened.add(fd);
    return fd;
  };
  const pipe = (): { read: number; write: number } => {
    const ends = calls.pipe();
    keep(ends.read);
    keep(ends.write);
    return ends;
  };
  const stdio: (number | 'ignore')[] = [];
  let ends: Ends;
  if (request.terminal !== null) {
    const { master, slave } = openTerminal(request.terminal, keep);
    giveTo(request.identity, slave);
    stdio.push(slave, slave, slave);
    ends = { kind: 'terminal', master, slave };
  } else {
    const [input, output, errors] = [pipe(), pipe(), pipe()];
    calls.widen(output.write, STDOUT_PIPE_BYTES);
    stdio.push(input.read, output.write, errors.write);
    if (request.stdin !== null) feeds.push({ fd: input.write, value: request.stdin });
    ends = {
      kind: 'pipes',
      stdin: request.stdin === null ? input.write : null,
      stdout: output.read,
      stderr: errors.read,
    };
    // As whom the command may open /dev/stdout again.
    for (const fd of [input.read, output.write, errors.write]) giveTo(request.identity, fd);
  }
  /** A pipe from us to what it has at this number. */
  const at = (number: number): number => {
    const { read, write } = pipe();
    while (stdio.length < number) stdio.push('ignore');
    stdio[number] = read;
    return write;
  };
  for (const [number, value] of request.descriptors) {
    feeds.push({ fd: at(number), value });
  }
  const life = hasJobControl(request) ? at(LIFE_DESCRIPTOR) : null;
  if (request.copy !== null) {
    while (stdio.length < COPY_DESCRIPTOR) stdio.push('ignore');
    stdio[COPY_DESCRIPTOR] = request.copy;
  }
  return { stdio, ends, feeds, life };
}

function openTerminal({ columns, rows }: Terminal, keep: (fd: number) => number): { master: number; slave: number } {
  try {
    const calls = runnerCalls();
    const master = keep(openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK));
    const slave = keep(calls.openSlave(master));
    calls.windowSize(master, columns, rows);
    return { master, slave };
  } catch (cause) {
    throw new WardenError('route_unusable', 'no terminal can be opened for the command here', {
      hint: 'is /dev/pts mounted? without a terminal it works: redirect stdin and stdout',
      cause,
    });
  }
}

function start(request: Launch, env: ReadonlyMap<string, EnvValue>, stdio: Opened['stdio']): ChildProcess {
  const { identity, terminal, network, caller, args } = request;
  const program = request.copy === null ? request.program : `/proc/self/fd/${COPY_DESCRIPTOR}`;
  const jobControl = hasJobControl(request) ? request.descriptors.keys() : null;
  const taken = [...env].filter(
    ([name]) => (identity !== null && takenFromSecure(name)) || (jobControl !== null && takenFromPerl(name)),
  );
  const secret = taken.find(([, value]) => value.secret);
  if (secret !== undefined) {
    throw new WardenError('route_unusable', `a value cannot be given in the variable ${secret[0]}`, {
      hint: 'have the route inject it under another name, or as a file, a descriptor or stdin',
    });
  }
  const restored = taken.map(([name, { text }]) => [name, text] as const);
  const [file = '', ...rest] = chain(
    { program, args, identity, caller, terminal: terminal !== null, jobControl, network, restored },
    tools(),
    ownBounds(),
  );
  const variables: Record<string, string> = Object.create(null);
  for (const [name, { text }] of env) variables[name] = text;
  if (jobControl !== null) {
    for (const [name] of taken) if (takenFromPerl(name)) delete variables[name];
    Object.assign(variables, PERL_VARIABLES);
  }
  return inFamily(caller.umask, identity !== null, () =>
    spawn(file, rest, {
      cwd: caller.cwd,
      env: variables,
      stdio: [...stdio],
      // A session and process group of its own. With a terminal setsid does it, which must not lead a group already.
      detached: terminal === null,
    }),
  );
}

/**
 * Forks with the caller's umask, and where a child is to become somebody else, with an effective group that is not the
 * real one: then the kernel takes what the child executes for a set-id program, and the C library ignores whatever the
 * caller's environment would have it load, as for sudo. All of it is undone in the same tick. The umask and the group
 * are the whole process's for these milliseconds: files that wardend makes have modes of their own.
 */
function inFamily<T>(umask: number, privileged: boolean, fork: () => T): T {
  const ownMask = process.umask(umask);
  const ownGroup = process.getegid?.() ?? 0;
  const changes = privileged && process.getgid?.() === ownGroup;
  try {
    if (changes) process.setegid?.(OTHER_GROUP);
    return fork();
  } catch (cause) {
    throw notStarted(cause);
  } finally {
    if (changes) process.setegid?.(ownGroup);
    process.umask(ownMask);
  }
}

/** A value in a variable that perl looks at can be given without perl alone. */
function hasJobControl({ terminal, jobControl, env }: Launch): boolean {
  const free = ![...env].some(([name, { secret }]) => secret && takenFromPerl(name));
  return jobControl && terminal !== null && free && tools().perl !== null;
}

function isOurs(fd: number, ends: Ends): boolean {
  return ends.kind === 'terminal' && fd === ends.slave;
}

/** The group stays: a terminal's is `tty`. */
function giveTo(identity: Identity | null, fd: number): void {
  if (identity !== null) fchownSync(fd, identity.uid, fstatSync(fd).gid);
}

/** Node throws some failures, and tells of others later. */
function startFailure(child: ChildProcess): Promise<WardenError> {
  return new Promise((resolve) => child.once('error', (cause) => resolve(notStarted(cause))));
}

function notStarted(cause: unknown): WardenError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'E2BIG') {
    return new WardenError('invalid_request', 'the arguments and the environment are more than the kernel takes', {
      hint: 'one argument or variable may have 128 KiB: let the route hand a large value over as file, or leave variables out',
      cause,
    });
  }
  return new WardenError('route_unusable', `the command could not be started (${code ?? 'unknown'})`, { cause });
}

function exitOf(child: ChildProcess, pid: number, then: () => void): Promise<CommandEnd> {
  const pidfd = native().pidfdOpen(pid);
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
      then();
      const status = typeof pidfd === 'number' ? runnerCalls().waitStatus(pidfd) : null;
      if (typeof pidfd === 'number') native().close(pidfd);
      resolve(
        signal === null ? { exitCode: byRealTimeSignal(status) ?? exitCode, signal: null } : { exitCode: null, signal },
      );
    });
  });
}

/** Node knows no name for these and calls such an end exit code 0. It becomes what a shell makes of it. */
function byRealTimeSignal(status: number | null): number | null {
  const signal = (status ?? 0) & 0x7f;
  return signal === 0 ? null : 128 + signal;
}

/** Writes all of it as it is read, then closes; a command that does not read it misses it. */
function feed(fd: number, value: Buffer): void {
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => {});
  socket.end(value);
}
