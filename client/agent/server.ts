import { readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { AgentFrames } from '../../src/ssh/agent-frames.ts';
import { MAX_FRAME } from '../../src/ssh/agent-numbers.ts';
import { WireError } from '../../src/ssh/wire.ts';
import { native } from '../../src/unix/native.ts';
import type { Events } from './events.ts';
import { Session, type SessionPorts } from './session.ts';

export interface ServerLimits {
  readonly connections: number;
  /** For half a message to become a whole one. */
  readonly partialMs: number;
  /** For an answer to be read. */
  readonly unreadMs: number;
}

/** `ssh` keeps a connection for each session that forwards the agent; half messages come from no client that works. */
const LIMITS: ServerLimits = { connections: 256, partialMs: 10_000, unreadMs: 30_000 };
/** Bytes that a client may send ahead of its answers: the longest message, and some. */
const MAX_WAITING = MAX_FRAME + 64 * 1024;

/** The agent's end of each connection: whole messages one after the other, and nothing read ahead of its answer. */
export class AgentServer {
  readonly #ports: SessionPorts;
  readonly #uid: number;
  readonly #limits: ServerLimits;
  readonly #open = new Set<Socket>();

  /** `uid` is the only one that may connect. */
  constructor(uid: number, ports: SessionPorts, limits = LIMITS) {
    this.#uid = uid;
    this.#ports = ports;
    this.#limits = limits;
  }

  readonly accept = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    const peer = this.#admit(socket);
    if (peer === null) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    new Connection(socket, peer, this.#ports, this.#limits);
  };

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Who it is, for people; null where it is not let in. */
  #admit(socket: Socket): string | null {
    const { events } = this.#ports;
    const fd = descriptorOf(socket);
    if (fd === null) return null;
    const { uid, pid } = native().peerCredentials(fd);
    if (uid !== this.#uid) {
      events.problem('peer_refused', { uid, pid }, `refused uid ${uid} (pid ${pid}): this agent is uid ${this.#uid}'s`);
      return null;
    }
    if (this.#open.size >= this.#limits.connections) {
      events.problem('too_many', { pid }, `refused pid ${pid}: ${this.#limits.connections} connections are open`);
      return null;
    }
    return describePeer(pid);
  }
}

/** One connection: whole messages, one after the other; what comes meanwhile waits in a bounded buffer. */
class Connection {
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #events: Events;
  readonly #limits: ServerLimits;
  readonly #frames = new AgentFrames();
  readonly #gone = new AbortController();
  #busy = false;
  #partialTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, peer: string, ports: SessionPorts, limits: ServerLimits) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = ports.events;
    this.#session = new Session(peer, this.#gone.signal, ports);
    socket.on('data', (chunk) => this.#receive(chunk));
    // Whoever closes wants no answer any more, a question to a person is taken back.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.#stopWatch();
      this.#gone.abort();
    });
  }

  #receive(chunk: Buffer): void {
    this.#frames.push(chunk);
    if (this.#frames.held > MAX_WAITING) this.#socket.pause();
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (let message = this.#frames.next(); message !== null; message = this.#frames.next()) {
        this.#stopWatch();
        const answer = await this.#session.answer(message);
        message.fill(0);
        if (this.#socket.destroyed) return;
        await send(this.#socket, answer, this.#limits.unreadMs);
      }
    } catch (error) {
      const what = error instanceof WireError ? error.message : 'it cannot be served';
      this.#events.problem('bad_frame', {}, `closed a connection: ${what}`);
      this.#socket.destroy();
      return;
    } finally {
      this.#busy = false;
    }
    this.#socket.resume();
    this.#watchPartial();
  }

  /** Half a message must become a whole one in time, however its bytes drip in. */
  #watchPartial(): void {
    if (!this.#frames.partial) this.#stopWatch();
    else this.#partialTimer ??= setTimeout(() => this.#socket.destroy(), this.#limits.partialMs);
  }

  #stopWatch(): void {
    clearTimeout(this.#partialTimer);
    this.#partialTimer = undefined;
  }
}

function send(socket: Socket, answer: Buffer, unreadMs: number): Promise<void> {
  const frame = Buffer.alloc(4 + answer.length);
  frame.writeUInt32BE(answer.length);
  answer.copy(frame, 4);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), unreadMs);
    socket.write(frame, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** For people: the program may have changed since, and nothing is decided by it. */
function describePeer(pid: number): string {
  try {
    return `${basename(readlinkSync(`/proc/${pid}/exe`))} (pid ${pid})`;
  } catch {
    return `pid ${pid}`;
  }
}

/** Node has no public word for it; `daemon/attest.ts` reads it in the same way. */
function descriptorOf(socket: Socket): number | null {
  const { _handle } = socket as unknown as { _handle?: { fd?: unknown } };
  return typeof _handle?.fd === 'number' && _handle.fd >= 0 ? _handle.fd : null;
}
