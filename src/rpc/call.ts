import {
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { AttestedConnection } from '../callers/connection.ts';
import type { Admission, CallerLimits } from '../callers/rate-limit.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { newRequestId } from '../kernel/request-id.ts';
import { traceOf } from '../kernel/trace.ts';
import type { LedgerKind } from '../ledger/record.ts';
import type { RequestContext, Services, World } from '../operations/context.ts';
import { ledgerCaller } from '../operations/trail.ts';
import { encoded } from './after-encoding.ts';
import { toWireError } from './error-details.ts';
import type { Holds } from './holds.ts';
import type { PeerRegistry } from './peer-registry.ts';
import { Turns } from './turns.ts';

export interface RpcDeps {
  readonly peers: PeerRegistry;
  readonly limiter: CallerLimits;
  readonly holds: Holds;
  readonly services: Services;
  world(): World;
  /** Keeps a world's clients open, whatever a reload does, until the answer is called. */
  enter(world: World): () => void;
  /** Aborts when the daemon begins to stop: no new requests, and streams that would never end do. */
  readonly stopping: AbortSignal;
  /** Called for what leaves as `internal`: the cause belongs in the log and nowhere else. */
  onInternalError(error: WardenError, method: string): void;
  onRequestEnd(end: RequestEnd): void;
}

export interface RequestEnd {
  readonly method: string;
  readonly context: RequestContext | null;
  readonly error: WardenError | null;
  readonly durationMs: number;
}

export interface MethodName {
  readonly method: string;
  /** The ledger kind of a refusal before the operation began; null for methods that only read. */
  readonly recordAs: LedgerKind | null;
}

interface AnyCall {
  readonly metadata: Metadata;
  getPeer(): string;
  on(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

/**
 * What every call goes through before its operation: who is it, is it still that process, is it within its
 * limits. Then the world is pinned, and the operation gets a context and nothing of gRPC.
 */
async function admit(
  deps: RpcDeps,
  call: AnyCall,
  recordAs: LedgerKind | null,
  endsWithDaemon: boolean,
): Promise<{ context: RequestContext; release: () => void }> {
  const connection = deps.peers.find(call.getPeer());
  if (connection === null) throw new WardenError('caller_gone', 'the calling process is gone');
  if (deps.stopping.aborted) throw stopping();
  const lost = noLonger(connection);
  if (lost !== null) throw await recordUnadmitted(deps, connection, lost, recordAs);
  const world = deps.world();
  const admission = deps.limiter.take(connection.caller.uid);
  if (!admission.ok) {
    const error = limited(admission);
    if (admission.reason === 'rate_limited') await deps.holds.hold(connection.caller.uid);
    throw await recordUnadmitted(deps, connection, error, recordAs);
  }
  // A stream that ends with the daemon alone only reads, and would keep its world's clients open for as long.
  const leave = endsWithDaemon ? null : deps.enter(world);
  const aborter = new AbortController();
  const onCancelled = (): void => aborter.abort();
  call.on('cancelled', onCancelled);
  if (endsWithDaemon) deps.stopping.addEventListener('abort', onCancelled);
  const { services } = deps;
  services.counters.requestsInFlight += 1;
  return {
    context: {
      requestId: newRequestId(),
      trace: traceOf(call.metadata.get('traceparent')),
      connection,
      world,
      services,
      signal: aborter.signal,
    },
    release: () => {
      // grpc-js says `cancelled` of a call that has ended, too; an abort then is dear and tells nobody anything.
      call.off('cancelled', onCancelled);
      deps.stopping.removeEventListener('abort', onCancelled);
      services.counters.requestsInFlight -= 1;
      leave?.();
      admission.release();
    },
  };
}

/** Why a connection is no longer its caller's; null where it is. */
function noLonger(connection: AttestedConnection): WardenError | null {
  switch (connection.check()) {
    case 'alive':
      return null;
    case 'gone':
      return gone();
    case 'changed':
      return new WardenError('caller_changed', 'the calling process runs another program than when it connected');
  }
}

function stopping(): WardenError {
  return new WardenError('draining', 'the daemon is stopping');
}

export function limited({ reason, retryAfterMs }: Extract<Admission, { ok: false }>): WardenError {
  const what = {
    rate_limited: 'this caller asks faster than it may',
    concurrency_limited: 'this caller has as many requests running as it may',
    connection_limited: 'there are as many connections as may be',
  }[reason];
  return new WardenError(reason, what, { retryAfterMs });
}

async function recordUnadmitted(
  deps: RpcDeps,
  connection: AttestedConnection,
  error: WardenError,
  kind: LedgerKind | null,
): Promise<WardenError> {
  deps.services.counters.refusals += 1;
  if (kind === null) return error;
  const { snapshot } = deps.world();
  try {
    const receipt = await deps.services.ledger.appendRefusal({
      kind,
      outcome: 'refused',
      reason: error.code,
      caller: ledgerCaller(connection),
      posture: snapshot.settings.posture,
      generation: snapshot.generation,
    });
    return receipt === null ? error : error.with({ ledgerSeq: receipt.seq });
  } catch {
    // The refusal stands whether or not it could be recorded: it releases nothing.
    return error;
  }
}

/** A status for grpc-js: always a fresh object, never a caught error. */
export function statusOf(deps: RpcDeps, method: string, thrown: unknown, context: RequestContext | null) {
  let error = asWardenError(thrown);
  if (context !== null && error.details.requestId === undefined) error = error.with({ requestId: context.requestId });
  if (error.code === 'internal') deps.onInternalError(error, method);
  const wire = toWireError(error);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', wire.statusDetails);
  return { error, status: { code: wire.code, details: wire.details, metadata } };
}

/** One for the process, as is the event loop. Eight signs are about two milliseconds: a commit's worth. */
const turns = new Turns(8);

/** The one unary wrapper. */
export function unary<Req, Res>(
  deps: RpcDeps,
  { method, recordAs }: MethodName,
  run: (request: Req, context: RequestContext) => Promise<Res>,
) {
  return async (call: ServerUnaryCall<Req, Res>, done: sendUnaryData<Res>): Promise<void> => {
    const began = deps.services.clock.monotonic();
    let context: RequestContext | null = null;
    let release: (() => void) | null = null;
    let failure: WardenError | null = null;
    try {
      ({ context, release } = await admit(deps, call, recordAs, false));
      const turn = turns.next();
      if (turn !== null) await turn;
      const response = await run(call.request, context);
      done(null, response);
      // An answer that nobody waits for any more is never encoded, and its values must go all the same.
      setImmediate(() => encoded(response));
    } catch (thrown) {
      const { error, status } = statusOf(deps, method, thrown, context);
      failure = error;
      done(status);
    } finally {
      release?.();
      deps.onRequestEnd({ method, context, error: failure, durationMs: deps.services.clock.monotonic() - began });
    }
  };
}

/**
 * The one server-streaming wrapper. `run` yields messages; each waits until the client has taken what came
 * before, so that a client that does not read holds a bounded amount of memory.
 */
export function serverStream<Req, Res>(
  deps: RpcDeps,
  { method, recordAs }: MethodName,
  run: (request: Req, context: RequestContext) => AsyncIterable<Res>,
) {
  return async (call: ServerWritableStream<Req, Res>): Promise<void> => {
    const began = deps.services.clock.monotonic();
    let context: RequestContext | null = null;
    let release: (() => void) | null = null;
    let failure: WardenError | null = null;
    try {
      ({ context, release } = await admit(deps, call, recordAs, true));
      for await (const message of run(call.request, context)) {
        if (context.signal.aborted) break;
        // A stream may outlive the program that asked for it, and its connection be in other hands.
        const lost = noLonger(context.connection);
        if (lost !== null) throw lost;
        if (!call.write(message)) await anyOf(call, ['drain'], context.signal);
      }
      if (deps.stopping.aborted) throw stopping();
      call.end();
    } catch (thrown) {
      const { error, status } = statusOf(deps, method, thrown, context);
      failure = error;
      call.emit('error', status);
    } finally {
      release?.();
      deps.onRequestEnd({ method, context, error: failure, durationMs: deps.services.clock.monotonic() - began });
    }
  };
}

/** How many messages a client that reads slowly has waiting in memory, and how many bytes of content. */
const MOST_UNREAD = 8;
const MOST_UNREAD_BYTES = 512 * 1024;
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
  { method, recordAs }: MethodName,
  run: (first: Req, duplex: Duplex<Req, Res>, context: RequestContext) => Promise<void>,
  /** Bytes of content in a message, near enough. */
  sizeOf: (message: Res) => number,
) {
  return async (call: ServerDuplexStream<Req, Res>): Promise<void> => {
    const began = deps.services.clock.monotonic();
    let context: RequestContext | null = null;
    let release: (() => void) | null = null;
    let failure: WardenError | null = null;
    try {
      ({ context, release } = await admit(deps, call, recordAs, false));
      const { connection, signal } = context;
      const incoming = messagesOf(call, connection, signal);
      const first = await firstOf(incoming, signal);
      await run(first, { incoming, send: sender(call, connection, signal, sizeOf), stopping: deps.stopping }, context);
      call.end();
    } catch (thrown) {
      const { error, status } = statusOf(deps, method, thrown, context);
      failure = error;
      call.emit('error', status);
    } finally {
      release?.();
      deps.onRequestEnd({ method, context, error: failure, durationMs: deps.services.clock.monotonic() - began });
    }
  };
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

function gone(): WardenError {
  return new WardenError('caller_gone', 'the calling process is gone');
}

/** Until one of the events, or the abort. */
function anyOf(emitter: NodeJS.EventEmitter, events: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) emitter.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of events) emitter.on(event, done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
