import { EventEmitter } from 'node:events';
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from './generated/grpc/health/v1/health.ts';
import { Status } from './status.ts';

/**
 * Truthful health: `""` is the daemon as a whole, the rest are its parts. A part that is down does not take
 * the daemon down with it: a closed gate is NOT_SERVING for `policy`, and the daemon goes on refusing.
 */
export class Health {
  readonly #states = new Map<string, boolean>([['', false]]);
  readonly #changed = new EventEmitter().setMaxListeners(0);
  #closed = false;

  set(service: string, serving: boolean): void {
    if (this.#states.get(service) === serving) return;
    this.#states.set(service, serving);
    this.#changed.emit('change', service);
  }

  get(service: string): HealthCheckResponse {
    const state = this.#states.get(service);
    if (state === undefined) return { status: Serving.SERVICE_UNKNOWN };
    return { status: state ? Serving.SERVING : Serving.NOT_SERVING };
  }

  /** True once whoever watches is sent away: the daemon stops, and would wait for them. */
  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#changed.emit('change', null);
  }

  /** Calls back at each change of the service and at the end, until the returned function is called. */
  watch(service: string, onChange: () => void): () => void {
    const listener = (changed: string | null): void => {
      if (changed === service || changed === null) onChange();
    };
    this.#changed.on('change', listener);
    return () => this.#changed.off('change', listener);
  }
}

export function healthHandlers(health: Health): UntypedServiceImplementation {
  return {
    Check(call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>, done: sendUnaryData<HealthCheckResponse>) {
      const answer = health.get(call.request.service);
      if (answer.status === Serving.SERVICE_UNKNOWN) done({ code: Status.NOT_FOUND, details: 'unknown service' });
      else done(null, answer);
    },
    Watch(call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) {
      const { service } = call.request;
      let last: number | null = null;
      let isFull = false;
      const send = (): void => {
        const answer = health.get(service);
        // Who does not read is told how it is, not each change that there was, once there is room again.
        if (answer.status !== last && !isFull) {
          last = answer.status;
          isFull = !call.write(answer);
        }
        if (!health.closed) return;
        stop();
        call.emit('error', { code: Status.UNAVAILABLE, details: 'the daemon is stopping' });
      };
      const room = (): void => {
        isFull = false;
        send();
      };
      const unwatch = health.watch(service, send);
      const stop = (): void => {
        unwatch();
        call.off('drain', room);
      };
      call.on('drain', room);
      call.on('cancelled', stop);
      call.on('error', stop);
      send();
    },
  };
}
