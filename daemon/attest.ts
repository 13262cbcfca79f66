import type { Socket } from 'node:net';
import type { Caller } from '../src/callers/caller.ts';
import type { AttestedConnection as Connection } from '../src/callers/connection.ts';
import { WardenError } from '../src/kernel/errors.ts';
import { native } from '../src/unix/native.ts';
import type { Native } from '../src/unix/system-calls.ts';
import {
  hasNoProgram,
  NO_FACTS,
  openProcess,
  type ProcessFacts,
  type ProcessHandle,
  procShowsOurPids,
  readFacts,
  sameFile,
  stillRuns,
} from './caller-facts.ts';
import { executableDigests } from './executable-digest.ts';
import { idMaps } from './id-map.ts';

/** What the daemon holds: the connection as operations see it, and what it has to give back. */
export interface AttestedConnection extends Connection {
  /** Lets go of the process. To be called once the connection has closed. */
  close(): void;
}

type Pin = { readonly pidfd: number } | ProcessHandle | null;

/**
 * Reads who is at the other end of a Unix socket. Call it in the very tick of the accept.
 *
 * It is synchronous on purpose: the facts are worth something only as long as the process has not moved on,
 * an asynchronous read would add event-loop turns in which it could, and no request may be parsed before they
 * stand. What it reads is kernel memory (socket options, procfs), some tens of microseconds that no file
 * server can stretch.
 *
 * What it can't tell: a program that connects, writes its request and then executes an allowed program in the
 * same process looks like that program, as does one that loads itself into it (LD_PRELOAD, ptrace). Within one
 * uid, `exe` keeps honest programs apart, not hostile ones; uid and unit hold against both.
 *
 * Throws `caller_gone` where the process has exited by now, `caller_changed` where it won't stop executing.
 */
export function attest(socket: Socket, kernel: Native = native()): AttestedConnection {
  const connection = attestDescriptor(descriptorOf(socket), kernel);
  sockets.set(connection, socket);
  return connection;
}

const sockets = new WeakMap<Connection, Socket>();

/** Of the socket behind an attested connection, while it is open. @throws WardenError caller_gone */
export function descriptorBehind(connection: Connection): number {
  const socket = sockets.get(connection);
  if (socket === undefined) throw gone();
  return descriptorOf(socket);
}

/** The same for an accepted socket that Node knows nothing of; it is not needed any more once this has returned. */
export function attestDescriptor(fd: number, kernel: Native = native()): AttestedConnection {
  const { pid, uid, gid } = kernel.peerCredentials(fd);
  const groups = kernel.peerGroups(fd);
  const pin = pinProcess(fd, pid, kernel);
  try {
    const visible = pid !== 0 && procShowsOurPids();
    const facts = visible ? readFacts(pid, kernel) : NO_FACTS;
    // Only now is it known that the pid was this process's all the while that /proc was read.
    if (!holds(pin, kernel)) throw gone();
    if (facts === null) throw changed();
    return connection(makeCaller({ uid, gid, groups, pid }, facts), facts, pin, visible, kernel);
  } catch (error) {
    release(pin, kernel);
    throw error;
  }
}

function connection(
  caller: Caller,
  facts: ProcessFacts,
  pin: Pin,
  visible: boolean,
  kernel: Native,
): AttestedConnection {
  const exeLink = `/proc/${caller.pid}/exe`;
  let closed = false;
  let sha256: string | null = null;

  function check(): 'alive' | 'gone' | 'changed' {
    if (closed) return 'gone';
    const running = visible && facts.running !== null ? kernel.identify(exeLink) : null;
    // The pin is looked at last: had the process gone in between, `running` could be anybody's.
    if (!holds(pin, kernel)) return 'gone';
    if (sameFile(running, facts.running)) return 'alive';
    // A dying process has let go of its program a moment before its pidfd says so.
    return running === null && hasNoProgram(caller.pid) ? 'gone' : 'changed';
  }

  return {
    caller,
    check,
    exeSha256Cached: () => sha256,
    exeSha256: async () => {
      if (facts.running === null || closed) return null;
      // Found once, it holds for as long as the program runs: the kernel lets nobody write to a running file.
      if (sha256 !== null) return sha256;
      sha256 = await executableDigests.digest(caller.pid, facts.running, () => check() === 'alive');
      return sha256;
    },
    close() {
      if (closed) return;
      closed = true;
      release(pin, kernel);
    },
  };
}

/**
 * A pidfd from the socket is of the very process that connected. Kernels before 6.5 have none: there the number
 * is pinned instead, and one that was given away between connect and accept goes unseen.
 */
function pinProcess(fd: number, pid: number, kernel: Native): Pin {
  const fromSocket = kernel.peerPidfd(fd);
  if (typeof fromSocket === 'number') return { pidfd: fromSocket };
  if (fromSocket === 'gone') throw gone();
  if (pid === 0 || !procShowsOurPids()) return null;
  const fromPid = kernel.pidfdOpen(pid);
  if (typeof fromPid === 'number') return { pidfd: fromPid };
  const handle = fromPid === 'gone' ? null : openProcess(pid);
  if (handle === null) throw gone();
  return handle;
}

function holds(pin: Pin, kernel: Native): boolean {
  // Nothing to hold on to: a process in an unseen pid namespace, on a kernel without SO_PEERPIDFD.
  if (pin === null) return true;
  return 'pidfd' in pin ? kernel.pidfdAlive(pin.pidfd) : stillRuns(pin);
}

function release(pin: Pin, kernel: Native): void {
  if (pin !== null) kernel.close('pidfd' in pin ? pin.pidfd : pin.stat);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly pid: number;
}

function makeCaller(ids: Ids, facts: ProcessFacts): Caller {
  const { overflowUid, overflowGid } = idMaps();
  const unmapped = { uid: ids.uid === overflowUid, gid: ids.gid === overflowGid };
  return Object.freeze({
    ...ids,
    groups: ids.groups.filter((group) => group !== overflowGid),
    exe: facts.exe,
    exeFile: facts.deleted ? null : facts.running,
    unit: facts.units.unit,
    // A program of another uid inside somebody's session is not that somebody's unit.
    userUnit: facts.units.userManagerUid === ids.uid ? facts.units.userUnit : null,
    ...(unmapped.uid || unmapped.gid ? { unmapped } : {}),
  });
}

/** Whether the daemon itself is at the other end: its own look at its health. */
export function isOwnConnection(socket: Socket, kernel: Native = native()): boolean {
  return kernel.peerCredentials(descriptorOf(socket)).pid === process.pid;
}

/** Node keeps the descriptor to itself; there is no public way to it on a net.Socket. @throws WardenError caller_gone */
export function descriptorOf(socket: Socket): number {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd;
  if (typeof fd !== 'number' || fd < 0) throw gone();
  return fd;
}

function gone(): WardenError {
  return new WardenError('caller_gone', 'the calling process has exited');
}

function changed(): WardenError {
  return new WardenError('caller_changed', 'the calling process runs another program than the one that connected');
}
