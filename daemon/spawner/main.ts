#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { WardenError } from '../../src/kernel/errors.ts';
import { effectiveUid } from '../../src/unix/effective-uid.ts';
import { harden } from '../../src/unix/harden.ts';
import { native } from '../../src/unix/native.ts';
import { listen, listenInherited } from '../../src/unix/socket.ts';
import { takeListenFds } from '../inherited-sockets.ts';
import { LogMeter } from '../log-meter.ts';
import { runnerCalls } from '../runner/calls.ts';
import { createValueFiles } from '../runner/value-files.ts';
import { startError } from '../start-error.ts';
import { VERSION } from '../version.ts';
import { parseSpawnerArguments, USAGE } from './arguments.ts';
import { Budget } from './budget.ts';
import { type SpawnerDeps, serve } from './serve.ts';

/** Each is a command that runs, or one that is about to; wardend's own limits are far below. */
const MAX_CONNECTIONS = 256;
/** Of arguments, environments and values, in all. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;
const EXIT_CODES = { refused: 1, usage: 2, unreachable: 3, unavailable: 4, internal: 5 } as const;

async function main(): Promise<void> {
  const args = parseSpawnerArguments(process.argv.slice(2));
  if (args.help) return void process.stdout.write(USAGE);
  if (args.version) return void process.stdout.write(`wardend-spawner ${VERSION}\n`);
  if (effectiveUid() !== 0) {
    throw new WardenError('invalid_request', 'only root can start commands as others', {
      hint: 'run it as root, as its unit does; in user mode wardend needs none',
    });
  }
  harden();
  process.on('SIGPIPE', () => {});
  process.on('SIGHUP', () => {});
  const inherited = takeListenFds();
  runnerCalls().sealDescriptors(readdirSync('/proc/self/fd').map(Number));
  const runtime = process.env.RUNTIME_DIRECTORY?.split(':')[0] ?? '/run/warden-spawner';
  makeRuntimeFolder(runtime);
  const valueFiles = createValueFiles([`${runtime}/values`, '/dev/shm/warden-spawner']);
  valueFiles.sweep();
  const stopping = new AbortController();
  // One for each command.
  setMaxListeners(MAX_CONNECTIONS, stopping.signal);
  const meter = new LogMeter(() => performance.now());
  const deps: SpawnerDeps = {
    ...args,
    valueFiles,
    budget: new Budget(MAX_HELD_BYTES),
    stopping: stopping.signal,
    log: (message, fields) => write(message, fields),
  };
  let open = 0;
  const onConnection = (socket: Socket): void => {
    socket.on('error', () => {});
    const refused = refusal(socket, args.wardendUid, open);
    if (refused !== null) {
      const metered = meter.next();
      if (metered !== null) write('connection refused', { ...refused, left_out: metered.leftOut });
      socket.destroy();
      return;
    }
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    void serve(socket, deps);
  };
  const options = {
    onConnection,
    pauseOnConnect: true,
    onError: (error: Error) => write('accept failed', { cause: error.message }),
  };
  const [handed] = inherited;
  const listener =
    handed === undefined
      ? await listen({ path: args.socket, mode: 0o600, group: null, ...options })
      : await listenInherited(handed.fd, options);
  // Before anybody is told: the one user who may connect.
  if (handed === undefined) chownSync(listener.path, args.wardendUid, -1);
  const stop = (signal: string): void => {
    if (stopping.signal.aborted) return;
    write('stopping', { signal });
    void listener.close();
    // Commands get their SIGTERM and, later, their SIGKILL; wardend hears how each ended, and then nothing holds us.
    stopping.abort();
    process.exitCode = 0;
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  write('ready', { socket: listener.path, uid: args.wardendUid, wardend: args.wardendSocket });
}

/** systemd makes it for the unit; callers go through it to what is theirs. */
function makeRuntimeFolder(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o711);
}

/** By the kernel's word on who connected. */
function refusal(socket: Socket, wardendUid: number, open: number): Record<string, unknown> | null {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  try {
    const { uid, pid } = native().peerCredentials(fd);
    if (uid !== wardendUid) return { uid, pid, why: 'it is not the user of wardend' };
    return open >= MAX_CONNECTIONS ? { uid, pid, why: 'too many connections' } : null;
  } catch (error) {
    return { why: String(error) };
  }
}

/** One line of JSON, written before anything else happens. */
function write(message: string, fields: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), msg: message, ...fields })}\n`);
}

main().catch((thrown: unknown) => {
  const error = startError(thrown);
  const cause = error.code === 'internal' ? `\n${String(error.cause)}` : '';
  process.stderr.write(`wardend-spawner: ${error.message}${cause}\n  why: ${error.code}\n  do: ${error.hint}\n`);
  process.exit(EXIT_CODES[error.kind]);
});
