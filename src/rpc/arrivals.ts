import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { WardenError } from '../kernel/errors.ts';
import { limited, type RpcDeps, statusOf } from './admit.ts';

export interface ArrivalLimits {
  /** Calls of one caller that may be on their way in at once. */
  readonly perCaller: number;
  /** How long the message of a call may take to arrive, in milliseconds. */
  readonly withinMs: number;
}

/** With messages of 256 KiB at most, what one caller can have held for calls that never arrive is 64 MiB. */
const LIMITS: ArrivalLimits = { perCaller: 256, withinMs: 10_000 };
const BUSY_RETRY_MS = 100;
const ADMITTED = '/warden.v1.Warden/';

/**
 * Bounds what stands before `admit`: a call is admitted when its message is there, and until then its pieces lie in
 * memory. So few may be on their way in for one caller, and none for long. A call of the services that are open to
 * all (health, reflection) is never admitted, and counts until it ends.
 */
export function guardArrivals(deps: RpcDeps, { perCaller, withinMs }: ArrivalLimits = LIMITS): ServerInterceptor {
  /** By uid; -1 stands for connections that are gone. */
  const arriving = new Map<number, number>();

  return ({ path }, call) => {
    const uid = deps.peers.find(call.getPeer())?.caller.uid ?? -1;
    const isAdmitted = path.startsWith(ADMITTED);
    let timer: NodeJS.Timeout | undefined;
    let counted = false;

    function leave(): void {
      if (!counted) return;
      counted = false;
      const left = (arriving.get(uid) ?? 1) - 1;
      if (left > 0) arriving.set(uid, left);
      else arriving.delete(uid);
    }

    function refuse(error: WardenError): void {
      deps.services.counters.refusals += 1;
      const { status } = statusOf(deps, path, error, null);
      call.sendStatus(status);
    }

    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          // Not before this: a call that was over before it began would never say that it ended.
          onReceiveMetadata(metadata, pass) {
            const already = arriving.get(uid) ?? 0;
            if (already >= perCaller) {
              refuse(limited({ ok: false, reason: 'concurrency_limited', retryAfterMs: BUSY_RETRY_MS }));
              return;
            }
            arriving.set(uid, already + 1);
            counted = true;
            timer = setTimeout(
              () => refuse(new WardenError('deadline_exceeded', 'the request did not arrive in time')),
              withinMs,
            ).unref();
            pass(metadata);
          },
          onReceiveMessage(message, pass) {
            clearTimeout(timer);
            if (isAdmitted) leave();
            pass(message);
          },
          onCancel() {
            clearTimeout(timer);
            leave();
          },
        });
      },
    });
  };
}
