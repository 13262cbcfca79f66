import type { WardenError } from '../src/kernel/errors.ts';
import type { RequestEnd } from '../src/rpc/admit.ts';
import type { Log } from './log.ts';
import type { LogMeter } from './log-meter.ts';

/** One line a request, constant but for its fields. */
export function logRequest({ method, context, error, durationMs }: RequestEnd, log: Log, strangers: LogMeter): void {
  // Who was admitted is within a rate already.
  const metered = context === null ? strangers.next() : { leftOut: 0 };
  if (metered === null) return;
  const caller = context?.connection.caller;
  const fields = {
    method,
    request_id: context?.requestId ?? error?.details.requestId,
    trace_id: context?.trace.traceId,
    uid: caller?.uid,
    pid: caller?.pid,
    ms: Math.round(durationMs * 100) / 100,
  };
  if (error === null) log.info(fields, 'request');
  else
    log.info(
      {
        ...fields,
        reason: error.code,
        private: error.details.privateDetail,
        ledger: error.details.ledgerSeq?.toString(),
        left_out: metered.leftOut === 0 ? undefined : metered.leftOut,
      },
      'request refused',
    );
}

/** What of an internal error goes into the log. */
export function describeCause(error: WardenError): string {
  const { cause } = error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
