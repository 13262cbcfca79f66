import { connect, type Socket } from 'node:net';
import { AgentFault } from '../ssh/agent-fault.ts';
import { AgentFrames } from '../ssh/agent-frames.ts';
import { MAX_FRAME } from '../ssh/agent-numbers.ts';
import { WireError } from '../ssh/wire.ts';

/** Bytes of sockaddr_un's path; Node 20 cuts a longer one silently and connects elsewhere. */
const MAX_PATH = 107;

export interface ConnectionLimits {
  /** For connecting, and for each answer from when it is the next one due. Milliseconds. */
  readonly timeoutMs: number;
  /** Requests written before their answers came. */
  readonly maxInFlight: number;
  /** Requests waiting to be written. */
  readonly maxWaiting: number;
}

interface Exchange {
  readonly payload: Buffer;
  /** The payload holds a secret: overwrite it once it is sent. */
  readonly wipe: boolean;
  resolve(answer: Buffer): void;
  reject(fault: AgentFault): void;
}

/**
 * One connection to an ssh-agent. The protocol has no request numbers: answers come in the order of the
 * requests, so that one lost or surplus answer makes all later ones worthless, and the connection ends.
 */
export class AgentConnection {
  readonly #socket: Socket;
  readonly #limits: ConnectionLimits;
  readonly #waiting: Exchange[] = [];
  readonly #inFlight: Exchange[] = [];
  readonly #frames = new AgentFrames();
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #answered = false;
  #ended: AgentFault | null = null;

  constructor(path: string, limits: ConnectionLimits) {
    this.#limits = limits;
    if (Buffer.byteLength(path) > MAX_PATH) {
      throw new AgentFault('unreachable', `the path of the agent socket is longer than ${MAX_PATH} bytes`);
    }
    this.#socket = connect({ path });
    this.#socket.on('connect', () => {
      this.#connected = true;
      this.#advance();
    });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#end(new AgentFault('unreachable', 'the agent cannot be reached', error)));
    this.#socket.on('close', () => this.#end(new AgentFault('unreachable', 'the agent closed the connection')));
    this.#arm();
  }

  get usable(): boolean {
    return this.#ended === null;
  }

  /** Has an agent answered on it before? Then a loss may be no more than a restart of the agent. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Sends one message and resolves with the answer's (both without their length). @throws AgentFault */
  request(payload: Buffer, wipe = false): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fault = this.#ended ?? this.#tooMuch(payload);
      if (fault !== null) {
        if (wipe) payload.fill(0);
        reject(fault);
        return;
      }
      this.#waiting.push({ payload, wipe, resolve, reject });
      this.#advance();
    });
  }

  close(): void {
    this.#end(new AgentFault('unreachable', 'the connection to the agent was closed'));
  }

  #tooMuch(payload: Buffer): AgentFault | null {
    if (payload.length > MAX_FRAME) return new AgentFault('protocol', 'the message is too long for an agent');
    if (this.#waiting.length < this.#limits.maxWaiting) return null;
    return new AgentFault('overloaded', 'too many requests wait for the agent');
  }

  #advance(): void {
    if (!this.#connected || this.#ended !== null) return;
    while (this.#inFlight.length < this.#limits.maxInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#inFlight.push(next);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(next.payload.length);
      this.#socket.cork();
      this.#socket.write(head);
      this.#socket.write(next.payload, () => {
        if (next.wipe) next.payload.fill(0);
      });
      this.#socket.uncork();
    }
    this.#arm();
  }

  /** The clock runs while something is due, and starts anew with each answer. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#ended !== null || (this.#connected && this.#inFlight.length === 0)) return;
    this.#timer = setTimeout(
      () => this.#end(new AgentFault('timeout', `the agent did not answer within ${this.#limits.timeoutMs} ms`)),
      this.#limits.timeoutMs,
    );
  }

  #receive(chunk: Buffer): void {
    try {
      this.#frames.push(chunk);
      while (this.#ended === null) {
        const frame = this.#frames.next();
        if (frame === null) return;
        this.#answer(frame);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#end(new AgentFault('protocol', 'the agent sent a frame of impossible length'));
    }
  }

  #answer(frame: Buffer): void {
    const exchange = this.#inFlight.shift();
    if (exchange === undefined) {
      this.#end(new AgentFault('protocol', 'the agent answered what was not asked'));
      return;
    }
    this.#answered = true;
    exchange.resolve(frame);
    this.#advance();
  }

  #end(fault: AgentFault): void {
    if (this.#ended !== null) return;
    this.#ended = fault;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    for (const exchange of [...this.#inFlight.splice(0), ...this.#waiting.splice(0)]) {
      if (exchange.wipe) exchange.payload.fill(0);
      exchange.reject(fault);
    }
  }
}
