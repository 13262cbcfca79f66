import { publicRandom } from './public-random.ts';
import { NO_SPAN, parseTraceparent } from './traceparent.ts';

/** Where a request stands in a trace of the W3C's making: whose it is part of, and by what id it goes on from here. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** Of whoever asked, 16 hex digits; null where the trace begins here. */
  readonly parentId: string | null;
  /** Of this request, 16 hex digits. */
  readonly spanId: string;
  /** Whoever began the trace keeps it. */
  readonly sampled: boolean;
}

/** What an outside system is sent, so that its records and ours can be put side by side. */
export interface Correlation {
  readonly requestId: string;
  /** For the header of that name. */
  readonly traceparent: string;
}

/** The trace that a request belongs to. Anything but one valid header begins a new one, which is kept. */
export function traceOf(headers: readonly unknown[]): Trace {
  const [only, ...more] = headers;
  const given = typeof only === 'string' && more.length === 0 ? parseTraceparent(only) : null;
  const fresh = publicRandom(24).toString('hex');
  const spanId = fresh.slice(0, 16) === NO_SPAN ? '0000000000000001' : fresh.slice(0, 16);
  if (given !== null) return { ...given, spanId };
  return { traceId: fresh.slice(16), parentId: null, spanId, sampled: true };
}

/** The header for what is asked on account of this request. */
export function traceparent({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}
