import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { asWardenError } from '../src/kernel/errors.ts';
import { limited, type RpcDeps } from '../src/rpc/admit.ts';
import { guardArrivals } from '../src/rpc/arrivals.ts';
import { type GeneratedService, toServiceDefinition } from '../src/rpc/definition.ts';
import { execAnswers } from '../src/rpc/exec-answers.ts';
import descriptors from '../src/rpc/generated/descriptors.binpb';
import { HealthDefinition } from '../src/rpc/generated/grpc/health/v1/health.ts';
import { ServerReflectionDefinition } from '../src/rpc/generated/grpc/reflection/v1/reflection.ts';
import { ServerReflectionDefinition as ReflectionAlpha } from '../src/rpc/generated/grpc/reflection/v1alpha/reflection.ts';
import { WardenDefinition } from '../src/rpc/generated/warden/v1/warden.ts';
import { type Health, healthHandlers } from '../src/rpc/health.ts';
import { reflectionHandlers } from '../src/rpc/reflection-handlers.ts';
import { type ServiceHost, wardenHandlers } from '../src/rpc/service.ts';
import { attest, isOwnConnection } from './attest.ts';
import type { Log } from './log.ts';
import type { LogMeter } from './log-meter.ts';

/** A request is a key, an actor and a few words; an ID token is the largest part of it. */
const MAX_REQUEST_BYTES = 256 * 1024;
const MAX_STREAMS_PER_CONNECTION = 128;

export interface GrpcServer {
  /** Takes a fresh connection: attests its process, then lets gRPC have the socket. */
  accept(socket: Socket): void;
  /** Resolves when no accepted connection is waiting for its first request any more, at the latest after `withinMs`. */
  settle(withinMs: number): Promise<void>;
  /** Sends callers away (what they have not sent yet goes elsewhere), lets running requests end for at most `graceMs`, then cuts them off. */
  drain(graceMs: number): Promise<void>;
}

export function createGrpcServer(
  deps: RpcDeps,
  host: ServiceHost,
  health: Health,
  log: Log,
  strangers: LogMeter,
): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    'grpc.enable_channelz': 0,
    // No keepalive: of a peer that is gone the kernel tells at once, and one that answers no ping is a job that somebody
    // has stopped (Ctrl-Z) and will continue. What it may hold meanwhile the limits of its user bound.
    interceptors: [guardArrivals(deps)],
  });
  const reflection = reflectionHandlers(descriptors);
  const add = (service: GeneratedService, handlers: Parameters<Server['addService']>[1]): void =>
    server.addService(toServiceDefinition(service), handlers);
  const exec = { ...WardenDefinition.methods.exec, responseType: execAnswers };
  add({ ...WardenDefinition, methods: { ...WardenDefinition.methods, exec } }, wardenHandlers(deps, host));
  add(HealthDefinition, healthHandlers(health));
  add(ServerReflectionDefinition, reflection);
  add(ReflectionAlpha, reflection);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());

  return {
    accept: (socket) => admitConnection(socket, deps, log, strangers, () => injector.injectConnection(socket)),
    settle: (withinMs) => until(() => deps.peers.fresh === 0, withinMs),
    async drain(graceMs) {
      const end = performance.now() + graceMs;
      // GOAWAY to every connection; not forceShutdown at the end, since without channelz grpc-js does not know them.
      injector.drain(graceMs);
      // By our own counts: from Node 24 on, tryShutdown no longer waits for every call of an injected session.
      await until(() => deps.services.counters.requestsInFlight === 0, graceMs);
      // A session closes once its last answer has gone out.
      await until(() => deps.peers.size === 0, end - performance.now());
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      injector.destroy();
    },
  };
}

/** Until it holds, or the time is over. */
async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds() && performance.now() < end) await pause(5);
}

function admitConnection(
  socket: Socket,
  { peers, limiter: limits }: Pick<RpcDeps, 'peers' | 'limiter'>,
  log: Log,
  strangers: LogMeter,
  inject: () => void,
): void {
  const refused = (why: object): void => {
    const metered = strangers.next();
    if (metered === null) return;
    log.warn({ ...why, left_out: metered.leftOut === 0 ? undefined : metered.leftOut }, 'connection refused');
  };
  // A peer that resets its connection is the peer's affair.
  socket.on('error', (error) => log.debug({ code: (error as NodeJS.ErrnoException).code }, 'connection error'));
  try {
    // On a slot of its own: a busy daemon is no dead one. Unbound to a caller, it is let to nothing but health.
    if (isOwnConnection(socket)) {
      inject();
      return;
    }
    const connection = attest(socket);
    const { uid, pid } = connection.caller;
    const admission = limits.connect(uid);
    if (!admission.ok) {
      connection.close();
      refused({ uid, pid, reason: limited(admission).code });
      socket.destroy();
      return;
    }
    socket.once('close', () => {
      connection.close();
      admission.release();
    });
    peers.bind(socket, connection);
    inject();
  } catch (thrown) {
    const error = asWardenError(thrown);
    refused({ reason: error.code, cause: error.code === 'internal' ? String(error.cause) : undefined });
    socket.destroy();
  }
}
