#!/usr/bin/env node
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { workerParser } from '../src/config/worker-parser.ts';
import { daemonPaths } from '../src/kernel/paths.ts';
import { effectiveUid } from '../src/unix/effective-uid.ts';
import { harden } from '../src/unix/harden.ts';
import { native } from '../src/unix/native.ts';
import { ensurePrivateDir, isOwnDir } from '../src/unix/private-dir.ts';
import { type Listener, listen, listenInherited } from '../src/unix/socket.ts';
import { parseArguments, USAGE } from './arguments.ts';
import { assignSockets, takeListenFds } from './inherited-sockets.ts';
import { endOnUnforeseen, INTERNAL } from './last-resort.ts';
import { createLog } from './log.ts';
import { modeOf } from './mode.ts';
import { serviceManager } from './notify.ts';
import type { Places } from './places.ts';
import { probeSelf } from './self-probe.ts';
import { SPAWNER_SOCKET } from './spawner/arguments.ts';
import { startError } from './start-error.ts';
import { lockState } from './state-lock.ts';
import { VERSION } from './version.ts';
import { feedWatchdog } from './watchdog.ts';

const DRAIN_MS = 10_000;
/** For connections that were accepted in the last moment, and whose request is on its way. */
const SETTLE_MS = 2_000;
const ignore = (): void => {};
const EXIT_CODES = { refused: 1, usage: 2, unreachable: 3, unavailable: 4, internal: INTERNAL } as const;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) return void process.stdout.write(USAGE);
  if (args.version) return void process.stdout.write(`wardend ${VERSION}\n`);
  harden();
  // The thread that reads the config starts while this one loads the rest of the daemon.
  const parser = workerParser();
  parser.warm();
  const { wire } = await import('./wire.ts');
  // A log reader that goes away must not take the daemon with it, nor a reload that is asked for during the start.
  process.on('SIGPIPE', ignore);
  process.on('SIGHUP', ignore);
  const log = createLog();
  endOnUnforeseen(log);
  const uid = effectiveUid();
  const { callers: inherited, credentials } = assignSockets(takeListenFds());
  const manager = serviceManager(process.env, process.pid, {
    send: (address, message) => native().sendDatagram(address, message),
    onFault: (cause) => log.warn({ cause }, 'service manager cannot be told'),
  });
  const found = daemonPaths(process.env, { uid, home: ownHome(), isOwnDir: (path) => isOwnDir(path, uid) });
  const serves = modeOf(uid, process.env, process.pid);
  const places: Places = {
    configDir: resolve(args.config ?? found.configDir),
    stateDir: resolve(args.state ?? found.stateDir),
    socketPath: resolve(args.socket ?? found.socketPath),
    mode: serves,
    spawner: args.spawner ?? (serves === 'system' && uid !== 0 ? SPAWNER_SOCKET : null),
  };
  const privateFolder = args.socket === null && found.privateSocketFolder;
  ensurePrivateDir(dirname(places.socketPath), uid, privateFolder);
  const lock = lockState(places.stateDir);
  const daemon = await wire(places, parser, log, manager);
  const onConnection = daemon.server.accept;
  const onError = (cause: Error): void => log.error({ cause: cause.message }, 'accept failed');
  const { mode, group } = daemon.socket;
  const listeners: Listener[] = [];
  try {
    for (const { fd } of inherited) listeners.push(await listenInherited(fd, { onConnection, onError }));
    for (const { fd } of credentials) {
      listeners.push(await listenInherited(fd, { onConnection: daemon.acceptCredential, onError, halfOpen: true }));
    }
    if (inherited.length === 0) {
      // First, as the one that callers come in by always is.
      listeners.unshift(await listen({ path: places.socketPath, mode, group, privateFolder, onConnection, onError }));
    }
  } catch (error) {
    await daemon.close();
    throw error;
  }
  const watch = daemon.watchConfig();
  let stopping = false;
  let stopFeeding = (): void => {};
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    stopFeeding();
    manager.stopping();
    for (const listener of listeners) await listener.close();
    await watch.close();
    await daemon.server.settle(SETTLE_MS);
    const drained = daemon.server.drain(DRAIN_MS);
    daemon.stopAccepting();
    await drained;
    await daemon.close();
    lock.release();
    log.info('stopped');
    process.exit(0);
  };
  // Before anybody hears that it is ready: a service manager may ask for a stop or a reload in that very moment.
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('SIGHUP', () => void daemon.reload('signal'));
  process.off('SIGHUP', ignore);
  await watch.ready;
  if (stopping) return;
  // What changed between the first read and the first look.
  await daemon.reload('start');
  if (stopping) return;
  manager.ready(daemon.summary);
  daemon.onChange(manager.changed);
  const [{ path }] = listeners as [Listener];
  stopFeeding = feedWatchdog(
    manager,
    (deadlineMs) => probeSelf(path, deadlineMs),
    (cause) => log.error({ cause }, 'self-probe failed'),
  );
  log.info({ socket: path, config: places.configDir, state: places.stateDir, summary: daemon.summary() }, 'ready');
}

/** A uid that is in no user database, as in many containers, has no home: it names its folders itself. */
function ownHome(): string {
  try {
    return homedir();
  } catch {
    return '/nonexistent';
  }
}

main().catch((thrown: unknown) => {
  const error = startError(thrown);
  const cause =
    error.code === 'internal' ? `\n${error.cause instanceof Error ? error.cause.stack : String(error.cause)}` : '';
  process.stderr.write(`wardend: ${error.message}${cause}\n  why: ${error.code}\n  do: ${error.hint}\n`);
  process.exit(EXIT_CODES[error.kind]);
});
