import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { WardenError } from '../../kernel/errors.ts';
import {
  brokenAnswer,
  type CallOptions,
  callHeaders,
  checkStatus,
  DEFAULT_DEADLINE_MS,
  DEFAULT_MAX_MESSAGE_BYTES,
  decode,
  HANDSHAKE_MS,
  isGrpc,
  type Method,
  tooLate,
  unreachable,
} from './answers.ts';
import { FrameReader, FramingError, frame } from './framing.ts';

/** What may be on its way to us: with the protocol's own 64 KiB a fast stream waits at each of them. */
const WINDOW_BYTES = 1024 * 1024;

/**
 * gRPC over one HTTP/2 connection on a connected socket: unary calls and streams, which is all that `warden`
 * makes. A third of grpc-js's start-up time, and held against grpc-js by tests.
 */
export class Channel {
  readonly #session: ClientHttp2Session;
  readonly #path: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #closed: Promise<unknown>;
  #lost: Error | null = null;
  readonly #handshakeTimer: NodeJS.Timeout;
  #asking: NodeJS.Timeout | undefined;

  /** Takes the socket over. `path` is for messages only; `headers` go with each call. */
  constructor(socket: Socket, path: string, headers: Readonly<Record<string, string>> = {}) {
    this.#path = path;
    this.#headers = headers;
    this.#session = connect('http://localhost', {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW_BYTES },
    });
    this.#session.once('connect', () => {
      // Whoever closed it before it was connected has no use for a window.
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(WINDOW_BYTES);
    });
    this.#handshakeTimer = setTimeout(() => {
      this.#lost ??= unreachable(this.#path, 'did not answer as a gRPC server does');
      this.#session.destroy();
    }, HANDSHAKE_MS);
    this.#session.once('remoteSettings', () => clearTimeout(this.#handshakeTimer));
    this.#closed = new Promise((resolve) => this.#session.once('close', resolve));
    this.#session.once('close', () => clearTimeout(this.#handshakeTimer));
    this.#session.on('error', (error: NodeJS.ErrnoException) => {
      const garbage = error.code?.startsWith('ERR_HTTP2') === true;
      this.#lost ??= unreachable(
        this.#path,
        garbage ? 'does not speak gRPC' : 'closed the connection before it answered',
      );
    });
  }

  /** One request, one answer. @throws RpcError the daemon's no; WardenError daemon_unreachable | deadline_exceeded | internal */
  async unary<Req, Res>(service: string, method: Method<Req, Res>, request: Req, options?: CallOptions): Promise<Res> {
    let answer: { readonly value: Res } | null = null;
    for await (const value of this.stream(service, method, request, options)) {
      if (answer !== null) throw brokenAnswer('more than one message');
      answer = { value };
    }
    if (answer === null) throw brokenAnswer('no message');
    return answer.value;
  }

  /** One request, any number of answers, read no faster than they are taken. @throws as `unary` */
  async *stream<Req, Res>(
    service: string,
    method: Method<Req, Res>,
    request: Req,
    options: CallOptions = {},
  ): AsyncGenerator<Res, void, undefined> {
    const deadlineMs = options.deadlineMs === undefined ? DEFAULT_DEADLINE_MS : options.deadlineMs;
    const call = this.#open(`/${service}/${method.name}`, deadlineMs);
    const answers = this.#answers(call, method, options);
    call.end(frame(method.requestType.encode(request).finish()));
    yield* answers;
  }

  /** Messages both ways for as long as either side likes; without a deadline unless one is given. */
  duplex<Req, Res>(service: string, method: Method<Req, Res>, options: CallOptions = {}): DuplexCall<Req, Res> {
    const call = this.#open(`/${service}/${method.name}`, options.deadlineMs ?? null);
    const answers = this.#answers(call, method, { ...options, deadlineMs: options.deadlineMs ?? null });
    return {
      answers,
      send: (message) =>
        new Promise((resolve) => {
          // What became of a call that has ended, `answers` says.
          if (call.destroyed || call.writableEnded) return resolve();
          call.write(frame(method.requestType.encode(message).finish()), () => resolve());
        }),
      end: () => void call.end(),
    };
  }

  /** Listens from now on; what comes back reads no faster than it is taken. */
  #answers<Res>(
    call: ClientHttp2Stream,
    method: Method<never, Res>,
    { deadlineMs = DEFAULT_DEADLINE_MS, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES }: CallOptions,
  ): AsyncGenerator<Res, void, undefined> {
    const state: CallState = { answer: { headers: null, trailers: null }, failure: null };
    const { answer } = state;
    const fail = (error: Error): void => {
      state.failure ??= error;
      call.close(constants.NGHTTP2_CANCEL);
    };
    const timer = deadlineMs === null ? null : setTimeout(() => fail(tooLate(deadlineMs)), deadlineMs);
    call.on('response', (headers, flags) => {
      answer.headers = headers;
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) answer.trailers = headers;
      if (!isGrpc(headers)) fail(unreachable(this.#path, 'does not speak gRPC'));
    });
    call.on('trailers', (trailers) => {
      answer.trailers = trailers;
    });
    call.once('close', () => {
      if (timer !== null) clearTimeout(timer);
    });
    return this.#read(call, method, new FrameReader(maxMessageBytes), state);
  }

  async *#read<Res>(
    call: ClientHttp2Stream,
    method: Method<never, Res>,
    reader: FrameReader,
    state: CallState,
  ): AsyncGenerator<Res, void, undefined> {
    try {
      for await (const chunk of call) {
        if (state.failure !== null) break;
        for (const message of reader.push(chunk as Buffer)) yield decode(method, message);
      }
    } catch (error) {
      if (error instanceof FramingError) throw brokenAnswer(error.message);
      if (error instanceof WardenError) throw error;
      state.failure ??= this.#lost;
    } finally {
      if (!call.readableEnded) call.close(constants.NGHTTP2_CANCEL);
      // The other side has said all that it will. A call that stayed half open would count among those that it takes at once.
      else call.end();
    }
    if (state.failure !== null) throw state.failure;
    await this.#finish(state.answer, reader);
  }

  /**
   * Asks the other side again and again whether it is there, for streams that may be silent for long: where it does
   * not answer in time, the calls in flight fail as `daemon_unreachable`. Milliseconds.
   */
  keepAsking(everyMs: number, withinMs: number): void {
    this.#asking = setInterval(() => {
      const late = setTimeout(() => {
        this.#lost ??= unreachable(this.#path, 'stopped answering');
        this.#session.destroy();
      }, withinMs);
      const asked = !this.#session.destroyed && this.#session.ping(() => clearTimeout(late));
      if (!asked) clearTimeout(late);
    }, everyMs);
    this.#asking.unref();
    this.#session.once('close', () => clearInterval(this.#asking));
  }

  /** Ends the connection; calls in flight are cut. */
  close(): void {
    clearInterval(this.#asking);
    clearTimeout(this.#handshakeTimer);
    this.#session.destroy();
  }

  #open(path: string, deadlineMs: number | null): ClientHttp2Stream {
    if (this.#session.destroyed) throw this.#lost ?? unreachable(this.#path, 'closed the connection');
    const call = this.#session.request(callHeaders(path, deadlineMs, this.#headers), { endStream: false });
    // A late error has been told already by whoever iterates; without a listener it would end the process.
    call.on('error', () => {});
    return call;
  }

  async #finish(answer: Answer, reader: FrameReader): Promise<void> {
    // Calls end a moment before their session says why.
    if (answer.trailers === null && this.#session.destroyed) await this.#closed;
    if (answer.trailers === null) throw this.#lost ?? unreachable(this.#path, 'ended the connection without an answer');
    await checkStatus(answer.trailers);
    if (reader.incomplete) throw brokenAnswer('half a message');
  }
}

/** One call that streams both ways. */
export interface DuplexCall<Req, Res> {
  /** @throws as `unary` */
  readonly answers: AsyncGenerator<Res, void, undefined>;
  /** Resolves once it has left, or never will. Never rejects. */
  send(message: Req): Promise<void>;
  /** Nothing more will be sent. */
  end(): void;
}

interface CallState {
  readonly answer: Answer;
  failure: Error | null;
}

interface Answer {
  headers: IncomingHttpHeaders | null;
  trailers: IncomingHttpHeaders | null;
}
