import { Metadata } from '@grpc/grpc-js';
import type { AttestedConnection } from '../callers/connection.ts';
import type { Admission, CallerLimits } from '../callers/rate-limit.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { newRequestId } from '../kernel/request-id.ts';
import type { Spans } from '../kernel/spans.ts';
import { type Trace, traceOf } from '../kernel/trace.ts';
import type { LedgerKind } from '../ledger/record.ts';
import type { RequestContext, Services, World } from '../operations/context.ts';
import { ledgerCaller } from '../operations/trail.ts';
import { toWireError } from './error-details.ts';
import type { Holds } from './holds.ts';
import type { PeerRegistry } from './peer-registry.ts';

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
  /** For the steps of a request that began then, in monotonic milliseconds; null where nobody collects them. */
  spans(trace: Trace, beganAt: number): Spans | null;
  /** Called for what leaves as `internal`: the cause belongs in the log and nowhere else. */
  onInternalError(error: WardenError, method: string): void;
  onRequestEnd(end: RequestEnd): void;
}

/** What a unit's credential is called among the methods: it comes by a socket of its own. */
export const CREDENTIAL_METHOD = 'LoadCredential';

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

export interface AnyCall {
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
  beganAt: number,
): Promise<{ context: RequestContext; release: () => void }> {
  const connection = deps.peers.find(call.getPeer());
  if (connection === null) throw gone();
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
  const trace = traceOf(call.metadata.get('traceparent'), call.metadata.get('tracestate'));
  return {
    context: {
      requestId: newRequestId(),
      trace,
      spans: deps.spans(trace, beganAt),
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
export function noLonger(connection: AttestedConnection): WardenError | null {
  switch (connection.check()) {
    case 'alive':
      return null;
    case 'gone':
      return gone();
    case 'changed':
      return new WardenError('caller_changed', 'the calling process runs another program than when it connected');
  }
}

export function gone(): WardenError {
  return new WardenError('caller_gone', 'the calling process is gone');
}

export function stopping(): WardenError {
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

/**
 * What the wrappers share: admission before `run`, the one shape in which an error leaves, and a word at the end. `fail`
 * is given the status of what was thrown.
 */
export async function conduct(
  deps: RpcDeps,
  call: AnyCall,
  { method, recordAs, endsWithDaemon = false }: MethodName & { readonly endsWithDaemon?: boolean },
  run: (context: RequestContext) => Promise<void>,
  fail: (status: ReturnType<typeof statusOf>['status']) => void,
): Promise<void> {
  const began = deps.services.clock.monotonic();
  let context: RequestContext | null = null;
  let release: (() => void) | null = null;
  let failure: WardenError | null = null;
  try {
    ({ context, release } = await admit(deps, call, recordAs, endsWithDaemon, began));
    await run(context);
  } catch (thrown) {
    const { error, status } = statusOf(deps, method, thrown, context);
    failure = error;
    fail(status);
  } finally {
    release?.();
    deps.onRequestEnd({ method, context, error: failure, durationMs: deps.services.clock.monotonic() - began });
  }
}
