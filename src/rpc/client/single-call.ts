import type { Socket } from 'node:net';
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
import { readHeaderBlock, writeHeaderBlock } from './hpack.ts';
import { Http2Error } from './http2-error.ts';
import { contentOf, FLAG, FRAME, type Http2Frame, Http2Frames, MAX_FRAME_BYTES, writeFrame } from './http2-frames.ts';
import type { Headers } from './trailers.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTING = { headerTable: 1, push: 2, window: 4 } as const;
const DEFAULT_WINDOW = 65_535;
/** All headers of one answer: a daemon's are a few hundred bytes. */
const MAX_HEADER_BYTES = 64 * 1024;
const STREAM = 1;
const OF_STREAM: ReadonlySet<number> = new Set([FRAME.headers, FRAME.continuation, FRAME.data, FRAME.reset]);

/** Longer requests need more than one frame, and a peer that says when it can take them. */
export const MAX_SINGLE_REQUEST = MAX_FRAME_BYTES - 5;

/**
 * One unary call on a connected socket, and its end: HTTP/2 as far as that goes, since loading Node's own takes as
 * long as everything else that `warden sign` does. The peer is told to keep no header table and given room for the
 * whole answer, so there is neither state nor flow to control. Held against grpc-js and node:http2 by tests.
 *
 * @throws RpcError the daemon's no; WardenError daemon_unreachable | deadline_exceeded | internal
 */
export async function singleCall<Req, Res>(
  socket: Socket,
  path: string,
  service: string,
  method: Method<Req, Res>,
  request: Req,
  options: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Res> {
  const deadlineMs = options.deadlineMs === undefined ? DEFAULT_DEADLINE_MS : options.deadlineMs;
  const maxBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const answer = new SingleAnswer(socket, path, maxBytes, (bytes) => decode(method, bytes));
  const message = frame(method.requestType.encode(request).finish());
  const ended = new Promise<void>((resolve, reject) => {
    const late = deadlineMs === null ? undefined : setTimeout(() => reject(tooLate(deadlineMs)), deadlineMs);
    const silent = setTimeout(() => {
      if (!answer.greeted) reject(unreachable(path, 'did not answer as a gRPC server does'));
    }, HANDSHAKE_MS);
    socket.on('data', (chunk) => {
      try {
        if (answer.take(chunk)) resolve();
      } catch (error) {
        reject(error);
      }
    });
    socket.on('error', () => reject(unreachable(path, 'closed the connection before it answered')));
    socket.on('close', () => {
      clearTimeout(late);
      clearTimeout(silent);
      reject(unreachable(path, 'ended the connection without an answer'));
    });
  });
  try {
    const headers = callHeaders(`/${service}/${method.name}`, deadlineMs, options.headers ?? {});
    socket.write(opening(headers, message, maxBytes));
    await ended;
  } catch (error) {
    throw toFault(error, path, answer.greeted);
  } finally {
    socket.destroy();
  }
  await checkStatus(answer.trailers);
  return answer.value();
}

function toFault(error: unknown, path: string, greeted: boolean): unknown {
  if (error instanceof FramingError) return brokenAnswer(error.message);
  if (error instanceof Http2Error) {
    return greeted ? brokenAnswer(error.message) : unreachable(path, 'does not speak gRPC');
  }
  return error;
}

/** Everything that we ever say but acknowledgements, in one write. */
function opening(headers: Readonly<Record<string, string>>, message: Buffer, maxBytes: number): Buffer {
  const room = maxBytes + MAX_FRAME_BYTES;
  const settings = Buffer.concat([
    setting(SETTING.headerTable, 0),
    setting(SETTING.push, 0),
    setting(SETTING.window, room),
  ]);
  const window = Buffer.alloc(4);
  window.writeUInt32BE(Math.max(1, room - DEFAULT_WINDOW));
  return Buffer.concat([
    PREFACE,
    writeFrame(FRAME.settings, 0, 0, settings),
    writeFrame(FRAME.windowUpdate, 0, 0, window),
    writeFrame(FRAME.headers, FLAG.endHeaders, STREAM, writeHeaderBlock(headers)),
    writeFrame(FRAME.data, FLAG.endStream, STREAM, message),
  ]);
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** The answer as it gathers. */
class SingleAnswer<Res> {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #frames = new Http2Frames();
  readonly #reader: FrameReader;
  readonly #decode: (message: Buffer) => Res;
  #answer: { readonly value: Res } | null = null;
  #block: Buffer[] | null = null;
  #endsWithBlock = false;
  #headers: Headers | null = null;
  #trailers: Headers | null = null;
  /** Settings came first, as they do from everybody who speaks HTTP/2. */
  greeted = false;

  constructor(socket: Socket, path: string, maxBytes: number, decodeMessage: (message: Buffer) => Res) {
    this.#socket = socket;
    this.#path = path;
    this.#decode = decodeMessage;
    this.#reader = new FrameReader(maxBytes);
  }

  get trailers(): Headers {
    return this.#trailers ?? {};
  }

  /** @throws WardenError where there is none, or half of one */
  value(): Res {
    if (this.#reader.incomplete) throw brokenAnswer('half a message');
    if (this.#answer === null) throw brokenAnswer('no message');
    return this.#answer.value;
  }

  /** True once the answer is whole. @throws Http2Error, FramingError, WardenError */
  take(chunk: Buffer): boolean {
    for (const each of this.#frames.push(chunk)) {
      if (!this.greeted && each.type !== FRAME.settings) throw new Http2Error('no settings');
      // Between the pieces of a header block nothing else may stand.
      if ((this.#block !== null) !== (each.type === FRAME.continuation))
        throw new Http2Error('a header block in pieces');
      if (OF_STREAM.has(each.type) && each.stream !== STREAM) throw new Http2Error('an answer to another call');
      if (this.#takeFrame(each)) return true;
    }
    return false;
  }

  #takeFrame(each: Http2Frame): boolean {
    switch (each.type) {
      case FRAME.settings:
        this.greeted = true;
        if ((each.flags & FLAG.ack) === 0) this.#socket.write(writeFrame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
        return false;
      case FRAME.ping:
        if ((each.flags & FLAG.ack) === 0) this.#socket.write(writeFrame(FRAME.ping, FLAG.ack, 0, each.payload));
        return false;
      case FRAME.headers:
        this.#endsWithBlock = (each.flags & FLAG.endStream) !== 0;
        this.#block = [contentOf(each)];
        return this.#endOfBlock(each);
      case FRAME.continuation:
        this.#block?.push(each.payload);
        return this.#endOfBlock(each);
      case FRAME.data:
        this.#takeData(contentOf(each));
        if ((each.flags & FLAG.endStream) !== 0)
          throw unreachable(this.#path, 'ended the connection without an answer');
        return false;
      case FRAME.reset:
        throw unreachable(this.#path, 'ended the connection without an answer');
      case FRAME.goAway:
        // A daemon that stops still ends what it has begun.
        if (each.payload.length >= 8 && each.payload.readUInt32BE(0) >= STREAM) return false;
        throw unreachable(this.#path, 'closed the connection before it answered');
      case FRAME.pushPromise:
        throw new Http2Error('a push that nobody asked for');
      default:
        return false;
    }
  }

  #takeData(content: Buffer): void {
    if (this.#headers === null) throw new Http2Error('data before headers');
    for (const message of this.#reader.push(content)) {
      if (this.#answer !== null) throw brokenAnswer('more than one message');
      this.#answer = { value: this.#decode(message) };
    }
  }

  #endOfBlock({ flags }: Http2Frame): boolean {
    const block = this.#block ?? [];
    const size = block.reduce((sum, piece) => sum + piece.length, 0);
    if (size > MAX_HEADER_BYTES) throw new Http2Error('headers that are too large');
    if ((flags & FLAG.endHeaders) === 0) return false;
    this.#block = null;
    const headers = readHeaderBlock(Buffer.concat(block));
    // 103 and its like go before an answer.
    if (/^1\d\d$/.test(String(headers[':status']))) return false;
    if (this.#headers === null) {
      this.#headers = headers;
      if (!isGrpc(headers)) throw unreachable(this.#path, 'does not speak gRPC');
    }
    if (!this.#endsWithBlock) return false;
    this.#trailers = headers;
    return true;
  }
}
