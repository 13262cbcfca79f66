import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { whomToBecome } from '../../src/access/become.ts';
import type { AttestedConnection } from '../../src/callers/connection.ts';
import { asWardenError, type WardenError } from '../../src/kernel/errors.ts';
import { native } from '../../src/unix/native.ts';
import { sealedFiles } from '../../src/unix/sealed-file.ts';
import { descriptorCalls } from '../runner/descriptor-calls.ts';
import { findAs } from '../runner/find-as.ts';
import { findProgram, foundOrThrow } from '../runner/find-program.ts';
import { type Ends, type Launched, launch } from '../runner/launch.ts';
import { checkAlive, processOf } from '../runner/process-of.ts';
import type { ValueFiles } from '../runner/value-files.ts';
import type { Budget } from './budget.ts';
import { callerBehind, type ProofRules } from './proof.ts';
import { type Answer, type Ask, Malformed, parseOrder } from './protocol.ts';
import { onLines, type ReadAsk, readAsk } from './read-ask.ts';

export interface SpawnerDeps extends ProofRules {
  readonly valueFiles: ValueFiles;
  /** For what is asked, values among it, while it arrives and its command runs. */
  readonly budget: Budget;
  /** Aborts when the spawner is to stop: commands are asked to end, and how they do is told all the same. */
  readonly stopping: AbortSignal;
  /** Constant words, and fields that hold no value and no argument. */
  log(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** For all that wardend asks to arrive. */
const ARRIVAL_MS = 5_000;
/** For wardend to close its side, once it has its answer. */
const LEAVE_MS = 5_000;
/** Between SIGTERM and SIGKILL, where wardend is gone. */
const GRACE_MS = 5_000;
const MOST_PASSED = 3;
const OWN = { uid: 0, gid: 0, groups: [] };

/** Answers one connection, accepted from wardend's uid and not read from yet. Never rejects. */
export async function serve(socket: Socket, deps: SpawnerDeps): Promise<void> {
  const slow = AbortSignal.timeout(ARRIVAL_MS);
  let passed: Passed | null = null;
  let read: ReadAsk | null = null;
  try {
    passed = await receivePassed(socket);
    read = await readAsk(socket, slow, deps.budget);
    const connection = callerBehind(passed.connection, deps);
    try {
      await obey(read.ask, connection, passed, socket, deps);
    } finally {
      connection.close();
    }
  } catch (thrown) {
    const error = thrown instanceof Malformed ? null : asWardenError(thrown);
    deps.log('refused', { reason: error?.code ?? 'malformed', why: why(thrown, error) });
    if (error !== null) answer(socket, { refused: { code: error.code, message: error.message, hint: error.hint } });
  } finally {
    if (passed !== null) closeAll([passed.connection, passed.channel, ...(passed.copy === null ? [] : [passed.copy])]);
    read?.dispose();
    leave(socket);
  }
}

/**
 * Ends our side alone. wardend may be in the middle of an order: were the socket closed on it, its write would fail, and
 * Node would throw away the answer that waits to be read.
 */
function leave(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const close = setTimeout(() => socket.destroy(), LEAVE_MS);
  socket.once('close', () => clearTimeout(close));
}

interface Passed {
  /** The caller's connection to wardend. */
  readonly connection: number;
  /** Takes our ends of the command. */
  readonly channel: number;
  /** What is executed; null where that is the program's path. */
  readonly copy: number | null;
}

/** @throws Malformed */
async function receivePassed(socket: Socket): Promise<Passed> {
  const calls = descriptorCalls();
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (!(await calls.readable(fd, ARRIVAL_MS)) || socket.destroyed) throw new Malformed('nothing came');
  const [connection, channel, copy = null] = calls.receive(fd, MOST_PASSED) ?? [];
  if (connection !== undefined && channel !== undefined) return { connection, channel, copy };
  if (connection !== undefined) closeSync(connection);
  throw new Malformed('no descriptors came with it');
}

async function obey(
  ask: Ask,
  connection: AttestedConnection,
  { channel, copy }: Passed,
  socket: Socket,
  deps: SpawnerDeps,
): Promise<void> {
  const { caller } = connection;
  const identity = whomToBecome(caller, OWN);
  if (identity === null) throw new Error('root becomes everybody');
  const process = processOf(connection);
  checkCopy(copy, ask.kind === 'start' && ask.copied);
  if (ask.kind === 'find') {
    const { name, searchPath } = ask;
    const found = await findAs({ name, searchPath, identity, caller: process }, deps.valueFiles);
    answer(socket, { found: foundOrThrow(found, name) });
    return;
  }
  checkChannel(channel, deps.wardendUid);
  if (copy === null) foundOrThrow(findProgram(ask.program, '', process.cwd), ask.program);
  checkAlive(connection);
  const launched = await launch({ ...ask, copy, identity, caller: process }, deps.valueFiles);
  const { pid, ends } = launched;
  deps.log('started', { pid, uid: caller.uid, caller: caller.pid, terminal: ends.kind === 'terminal' });
  passEnds(launched, channel);
  answer(socket, { started: { pid, kind: ends.kind } });
  launched.onStop(() => answer(socket, { stopped: true }));
  const ended = await follow(launched, socket, deps.stopping);
  deps.log('ended', { pid, ...ended });
  answer(socket, { ended });
}

/** The command keeps the descriptor: it is one that nobody can tell anything by. */
function checkCopy(copy: number | null, wanted: boolean): void {
  if ((copy !== null) !== wanted) throw new Malformed('a copy that nobody named, or none');
  if (copy !== null && !sealedFiles().isSealed(copy)) throw new Malformed('what is to be executed is not sealed');
}

/** Only wardend is handed the ends, over a pair of its own making. */
function checkChannel(channel: number, wardendUid: number): void {
  try {
    if (!descriptorCalls().peerHasName(channel) && native().peerCredentials(channel).uid === wardendUid) return;
  } catch {
    // No connected Unix socket.
  }
  throw new Malformed('the channel is not of the making of wardend');
}

function passEnds({ ends, signal }: Launched, channel: number): void {
  const ours = endsOf(ends);
  try {
    descriptorCalls().send(channel, ours);
  } catch (error) {
    signal('SIGKILL');
    throw error;
  } finally {
    closeAll(ours);
  }
}

export function endsOf(ends: Ends): readonly number[] {
  if (ends.kind === 'terminal') return [ends.master, ends.slave];
  return [...(ends.stdin === null ? [] : [ends.stdin]), ends.stdout, ends.stderr];
}

/** Signals as they are ordered, until the command has ended. Without wardend it is to end, and when we are to stop. */
async function follow(
  { exit, signal }: Launched,
  socket: Socket,
  stopping: AbortSignal,
): Promise<Awaited<Launched['exit']>> {
  let running = true;
  let kill: NodeJS.Timeout | null = null;
  const stop = (): void => {
    if (!running) return;
    running = false;
    signal('SIGTERM');
    kill = setTimeout(() => signal('SIGKILL'), GRACE_MS);
  };
  onLines(
    socket,
    (line) => {
      const { signal: name } = parseOrder(line);
      if (running) signal(name);
    },
    () => socket.destroy(),
  );
  socket.on('end', stop);
  socket.on('close', stop);
  socket.resume();
  stopping.addEventListener('abort', stop);
  if (socket.destroyed || stopping.aborted) stop();
  const ended = await exit;
  running = false;
  stopping.removeEventListener('abort', stop);
  if (kill !== null) clearTimeout(kill);
  return ended;
}

function answer(socket: Socket, what: Answer): void {
  if (socket.writable) socket.write(`${JSON.stringify(what)}\n`);
}

function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}

/** In words that hold nothing of what was asked, unless they are ours. */
function why(thrown: unknown, error: WardenError | null): string {
  if (error === null) return (thrown as Malformed).message;
  return error.code === 'internal' ? String(error.cause) : error.message;
}
