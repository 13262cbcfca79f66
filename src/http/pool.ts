import type { IncomingHttpHeaders } from 'node:http';
import type { Client, Dispatcher } from 'undici';
import { WardenError } from '../kernel/errors.ts';
import { faultOf, RESETS, readBody } from './answer.ts';
import { type ConnectorOptions, codeOf, createConnector } from './connector.ts';
import { type Ends, withDeadline } from './deadline.ts';
import type { HttpFault } from './party.ts';
import { Slots } from './slots.ts';

export interface HttpLimits {
  /** Calls at once, each on a connection of its own. */
  readonly concurrency: number;
  /** Calls that may wait for one of those. */
  readonly queue: number;
  /** The longest answer, in bytes. */
  readonly answerBytes: number;
}

export interface PoolOptions extends ConnectorOptions {
  readonly limits: HttpLimits;
}

export interface PoolRequest {
  readonly method: Dispatcher.HttpMethod;
  /** From the origin on, base path included. */
  readonly path: string;
  /** Made anew for each attempt, so that a secret is revealed when it is sent and not before. */
  readonly headers: () => Promise<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** True: changes nothing, so a connection that died before the answer began is worth one more try. */
  readonly repeatable: boolean;
  /** Looks at status and headers; what it returns is thrown, and the body is not read. */
  readonly judge: (status: number, headers: IncomingHttpHeaders) => HttpFault | null;
}

export interface PoolAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Uint8Array;
}

export interface PoolStats {
  readonly inFlight: number;
  readonly queued: number;
  /** Calls sent a second time because a kept-alive connection had died. */
  readonly retries: number;
}

type Reply = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

/** HTTP/1.1 to one outside system: kept-alive, bounded in number, size and time; follows no redirect. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #slots: Slots;
  readonly #connector: ReturnType<typeof createConnector>;
  /** One connection to each slot, made when it is first used, and one more, which waits for nobody. */
  readonly #lanes: Client[] = [];
  #retries = 0;
  #closing: Promise<void> | null = null;
  #closed = false;

  constructor(options: PoolOptions) {
    const { concurrency, queue } = options.limits;
    this.#options = options;
    this.#slots = new Slots(concurrency, queue, options.party);
    this.#connector = createConnector(options);
  }

  /** @throws the party's fault; what `judge` and `headers` give; WardenError deadline_exceeded where the signal ended */
  exchange(request: PoolRequest): Promise<PoolAnswer> {
    const { timeoutMs, party } = this.#options;
    let queuedMs = Number.POSITIVE_INFINITY;
    const begun = performance.now();
    // Whoever spent most of the time in our own queue has learnt nothing about the other side.
    const late = (): HttpFault =>
      queuedMs > timeoutMs / 2
        ? party.fault('overloaded', `no slot for ${party.name} came free in time`)
        : this.#late();
    return withDeadline(timeoutMs, request.signal, { late, gone: this.#gone }, async (signal) => {
      const slot = await this.#slots.acquire(signal);
      queuedMs = performance.now() - begun;
      try {
        return await this.#call(request, await this.#lane(slot), signal);
      } finally {
        this.#slots.release(slot);
      }
    });
  }

  /** The same on a connection of its own, behind no queue: for health checks. */
  aside(request: PoolRequest): Promise<PoolAnswer> {
    const { timeoutMs, limits } = this.#options;
    const ends: Ends = { late: () => this.#late(), gone: this.#gone };
    return withDeadline(timeoutMs, request.signal, ends, async (signal) =>
      this.#call(request, await this.#lane(limits.concurrency), signal),
    );
  }

  stats(): PoolStats {
    return { inFlight: this.#slots.taken, queued: this.#slots.waiting, retries: this.#retries };
  }

  /** Ends after the calls under way. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#slots.idle();
      this.#closed = true;
      await Promise.all(this.#lanes.map((lane) => lane.close()));
    })();
    return this.#closing;
  }

  async #call(request: PoolRequest, client: Client, signal: AbortSignal): Promise<PoolAnswer> {
    const { limits, party } = this.#options;
    const { statusCode, headers, body } = await this.#sendTwice(request, client, signal);
    return { status: statusCode, headers, bytes: await readBody(body, limits.answerBytes, party) };
  }

  async #sendTwice(request: PoolRequest, client: Client, signal: AbortSignal): Promise<Reply> {
    const { party } = this.#options;
    try {
      return await this.#send(request, client, signal);
    } catch (error) {
      if (!request.repeatable || signal.aborted || !RESETS.has(codeOf(error))) throw faultOf(error, party);
      this.#retries += 1;
      return await this.#send(request, client, signal).catch((again: unknown) => {
        throw faultOf(again, party);
      });
    }
  }

  /** One request on the wire, up to and including the answer's headers. */
  async #send(request: PoolRequest, client: Client, signal: AbortSignal): Promise<Reply> {
    const reply = await client.request({
      method: request.method,
      path: request.path,
      headers: await request.headers(),
      ...(request.body === undefined ? {} : { body: request.body }),
      signal,
    });
    // An error of a body that nobody reads on must not end the process.
    reply.body.on('error', () => {});
    const fault = request.judge(reply.statusCode, reply.headers);
    if (fault === null) return reply;
    reply.body.destroy();
    throw fault;
  }

  async #lane(index: number): Promise<Client> {
    const open = this.#lanes[index];
    if (open !== undefined) return open;
    // The library is large: a daemon that speaks HTTP with nobody never loads it.
    const { Client } = await import('undici');
    if (this.#closed) throw this.#options.party.fault('overloaded', 'this client is closed');
    this.#lanes[index] ??= new Client(this.#options.endpoint.origin, {
      pipelining: 1,
      // The deadline of the call covers these.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 300_000,
      connect: this.#connector,
    });
    return this.#lanes[index];
  }

  #late(): HttpFault {
    const { party } = this.#options;
    return party.fault('timeout', `${party.name} did not answer in time`);
  }

  /** On purpose no fault of the party: it did not fail, so nothing may be released because of it. */
  readonly #gone = (signal: AbortSignal): Error => {
    if (signal.reason instanceof WardenError) return signal.reason;
    return new WardenError('deadline_exceeded', `the request ended before ${this.#options.party.name} answered`, {
      cause: signal.reason,
    });
  };
}
