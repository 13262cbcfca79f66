import { publicRandom } from './public-random.ts';
import { NO_SPAN, parseTraceparent } from './traceparent.ts';
import { parseTracestate } from './tracestate.ts';

/** Where a request stands in a trace of the W3C's making: whose it is part of, and by what id it goes on from here. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** Of whoever asked, 16 hex digits; null where the trace begins here. */
  readonly parentId: string | null;
  /** Of this request or of this step of it, 16 hex digits. */
  readonly spanId: string;
  /** Whoever began the trace keeps it. */
  readonly sampled: boolean;
  /** What other systems keep in the trace; "" is nothing. */
  readonly state: string;
}

/** The trace that a request belongs to. Anything but one valid `traceparent` begins a new one, which is kept. */
export function traceOf(parents: readonly unknown[], states: readonly unknown[]): Trace {
  const [only, ...more] = parents;
  const given = typeof only === 'string' && more.length === 0 ? parseTraceparent(only) : null;
  const fresh = publicRandom(24).toString('hex');
  const spanId = nonZero(fresh.slice(0, 16));
  if (given !== null) return { ...given, spanId, state: states.length === 0 ? '' : parseTracestate(states) };
  return { traceId: fresh.slice(16), parentId: null, spanId, sampled: true, state: '' };
}

/** A step of a request, below the request. */
export function childOf(trace: Trace): Trace {
  return { ...trace, parentId: trace.spanId, spanId: nonZero(publicRandom(8).toString('hex')) };
}

/** The header for what is asked on account of this request. */
export function traceparent({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** The headers of a trace, as outside systems are sent them. */
export function traceHeaders({
  traceparent: parent,
  tracestate,
}: {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}): Record<string, string> {
  if (parent === undefined) return {};
  return tracestate === undefined || tracestate === '' ? { traceparent: parent } : { traceparent: parent, tracestate };
}

function nonZero(spanId: string): string {
  return spanId === NO_SPAN ? '0000000000000001' : spanId;
}
