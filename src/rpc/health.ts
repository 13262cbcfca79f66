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

  /** Calls back at each change of the service, until the returned function is called. */
  watch(service: string, onChange: () => void): () => void {
    const listener = (changed: string): void => {
      if (changed === service) onChange();
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
      const send = (): void => {
        const answer = health.get(service);
        if (answer.status === last) return;
        last = answer.status;
        call.write(answer);
      };
      const stop = health.watch(service, send);
      call.on('cancelled', stop);
      call.on('error', stop);
      send();
    },
  };
}
