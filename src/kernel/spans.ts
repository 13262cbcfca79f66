import type { Clock } from './clock.ts';
import { asWardenError } from './errors.ts';
import { childOf, type Trace, traceparent } from './trace.ts';

/** Evidence only: a span leaves the machine. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>;

/** One stretch of work that has ended. */
export interface EndedSpan {
  readonly name: string;
  /** `client` where an outside system was asked. */
  readonly kind: 'server' | 'client' | 'internal';
  readonly trace: Trace;
  /** Milliseconds since the epoch, and how long it took. */
  readonly began: number;
  readonly durationMs: number;
  /** A reason, or what else went wrong; "" is success. */
  readonly fault: string;
  readonly facts: SpanFacts;
}

/** One step while it runs. */
export interface Step {
  /** Adds to what is told of it. */
  note(facts: SpanFacts): void;
  /** It went wrong, though nothing is thrown. */
  fail(fault: string): void;
}

const NOBODY: Step = { note() {}, fail() {} };

/** The spans of one request. Their times stand on the moment of its begin, so that none leaves it, whatever the clock does. */
export class Spans {
  readonly trace: Trace;
  /** Milliseconds since the epoch. */
  readonly began: number;
  readonly #beganAt: number;
  readonly #clock: Clock;
  readonly #ended: (span: EndedSpan) => void;

  /** `beganAt` in monotonic milliseconds. */
  constructor(trace: Trace, clock: Clock, beganAt: number, ended: (span: EndedSpan) => void) {
    this.trace = trace;
    this.#clock = clock;
    this.#beganAt = beganAt;
    this.began = clock.now() - (clock.monotonic() - beganAt);
    this.#ended = ended;
  }

  async step<T>(
    name: string,
    kind: EndedSpan['kind'],
    run: (trace: Trace, step: Step) => Promise<T>,
    facts: SpanFacts = {},
  ): Promise<T> {
    const trace = childOf(this.trace);
    const beganAt = this.#clock.monotonic();
    let [known, fault] = [facts, ''];
    const step: Step = {
      note: (more) => {
        known = { ...known, ...more };
      },
      fail: (what) => {
        fault = what;
      },
    };
    try {
      return await run(trace, step);
    } catch (error) {
      fault = faultOf(error);
      throw error;
    } finally {
      const began = this.began + (beganAt - this.#beganAt);
      const durationMs = this.#clock.monotonic() - beganAt;
      this.#ended({ name, kind, trace, began, durationMs, fault, facts: known });
    }
  }
}

/** What an outside system is sent, so that its records and ours can be put side by side. */
export interface Correlation {
  readonly requestId: string;
  /** For the headers of these names; the second is left out where it is "". */
  readonly traceparent: string;
  readonly tracestate: string;
  /** Where each step is a span of its own; null where nobody collects them. */
  readonly spans: Spans | null;
}

/** A step of what is known by its trace: a span of its own where spans are collected, nothing more than its work where not. */
export function inStep<T>(
  request: { readonly trace: Trace; readonly spans: Spans | null },
  name: string,
  kind: EndedSpan['kind'],
  run: (trace: Trace, step: Step) => Promise<T>,
): Promise<T> {
  return request.spans === null ? run(request.trace, NOBODY) : request.spans.step(name, kind, run);
}

/** The same for an outside system's client, which knows the request by its correlation alone. */
export function inCall<C extends Correlation | undefined, T>(
  correlation: C,
  name: string,
  facts: SpanFacts,
  run: (correlation: C, step: Step) => Promise<T>,
): Promise<T> {
  const spans = correlation?.spans ?? null;
  if (spans === null) return run(correlation, NOBODY);
  const below = (trace: Trace): C => ({ ...correlation, traceparent: traceparent(trace) });
  return spans.step(name, 'client', (trace, step) => run(below(trace), step), facts);
}

/** The kind of a fault of an outside system, or a reason code: never a message, which may quote. */
function faultOf(error: unknown): string {
  const { kind } = error as { readonly kind?: unknown };
  const { code } = asWardenError(error);
  return code === 'internal' && typeof kind === 'string' ? kind : code;
}
