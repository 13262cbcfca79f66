import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AttestedConnection } from '../callers/connection.ts';
import { WardenError } from '../kernel/errors.ts';
import type { RequestContext } from '../operations/context.ts';
import { conduct, gone, type MethodName, noLonger, type RpcDeps } from './admit.ts';
import { anyOf } from './any-of.ts';

/** How many messages a client that reads slowly has waiting in memory, and how many bytes of content. */
const MOST_UNREAD = 8;
const MOST_UNREAD_BYTES = 256 * 1024;
/** How long the first message may take to arrive. */
const FIRST_WITHIN_MS = 10_000;

/** Both directions of a call, as its operation sees them. */
export interface Duplex<Req, Res> {
  /** What the client sends, read no faster than it is taken. */
  readonly incoming: AsyncGenerator<Req, void>;
  /** Resolves once more may be sent. @throws WardenError caller_gone | caller_changed */
  send(message: Res): Promise<void>;
  readonly stopping: AbortSignal;
}

/**
 * The one wrapper of calls that stream both ways. It is a request until it ends, as its caller's limits and a daemon
 * that stops see it; a client that does not read holds a bounded amount of memory, and one that is not read from waits.
 */
export function duplex<Req, Res>(
  deps: RpcDeps,
  name: MethodName,
  run: (first: Req, duplex: Duplex<Req, Res>, context: RequestContext) => Promise<void>,
  /** Bytes of content in a message, near enough. */
  sizeOf: (message: Res) => number,
) {
  return (call: ServerDuplexStream<Req, Res>): Promise<void> =>
    conduct(
      deps,
      call,
      name,
      async (context) => {
        const { connection, signal } = context;
        const incoming = messagesOf(call, connection, signal);
        const first = await firstOf(incoming, signal);
        const send = sender(call, connection, signal, sizeOf);
        await run(first, { incoming, send, stopping: deps.stopping }, context);
        call.end();
      },
      (status) => call.emit('error', status),
    );
}

async function* messagesOf<Req>(
  call: ServerDuplexStream<Req, unknown>,
  connection: AttestedConnection,
  signal: AbortSignal,
): AsyncGenerator<Req, void> {
  while (!signal.aborted) {
    const message: Req | null = call.read();
    if (message === null) {
      if (call.readableEnded || call.destroyed) return;
      await anyOf(call, ['readable', 'end', 'close', 'error'], signal);
      continue;
    }
    const lost = noLonger(connection);
    if (lost !== null) throw lost;
    yield message;
  }
}

async function firstOf<Req>(incoming: AsyncGenerator<Req, void>, signal: AbortSignal): Promise<Req> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new WardenError('deadline_exceeded', 'the request did not arrive in time')),
      FIRST_WITHIN_MS,
    );
  });
  try {
    const first = await Promise.race([incoming.next(), late]);
    if (first.done !== true) return first.value;
  } finally {
    clearTimeout(timer);
  }
  if (signal.aborted) throw new WardenError('caller_gone', 'the client went away before it asked');
  throw new WardenError('invalid_request', 'the request has no first message');
}

/** Sends no more than the client takes: a little may be under way, whatever the streams would hold. */
function sender<Res>(
  call: ServerDuplexStream<unknown, Res>,
  connection: AttestedConnection,
  signal: AbortSignal,
  sizeOf: (message: Res) => number,
): (message: Res) => Promise<void> {
  let [unread, unreadBytes] = [0, 0];
  const full = (): boolean => unread >= MOST_UNREAD || unreadBytes >= MOST_UNREAD_BYTES;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const one of waiting) one();
    waiting.clear();
  };
  signal.addEventListener('abort', wake);
  return async (message) => {
    const lost = signal.aborted ? gone() : noLonger(connection);
    if (lost !== null) throw lost;
    const bytes = sizeOf(message);
    unread += 1;
    unreadBytes += bytes;
    call.write(message, () => {
      unread -= 1;
      unreadBytes -= bytes;
      wake();
    });
    while (full() && !signal.aborted) await new Promise<void>((resolve) => waiting.add(resolve));
  };
}
