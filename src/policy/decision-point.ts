import { HttpFault, type Party } from '../http/party.ts';
import type { Decision, PolicyQuestion } from './decision.ts';

export interface AskContext {
  /** Sent as X-Request-ID. */
  readonly requestId: string;
  /** Sent as the headers of those names. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly signal?: AbortSignal;
}

/** A policy decision point. It answers or it faults; a fault is never a deny. */
export interface DecisionPoint {
  /** True where this is a synthetic stand-in. */
  readonly double: boolean;
  /** @throws PolicyFault */
  decide(question: PolicyQuestion, context: AskContext): Promise<Decision>;
  /** Is it there and ready? Resolves; @throws PolicyFault where it is not. */
  ready(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * `open` kinds (unreachable, timeout, http_status) are those that `fail_closed: false` and break-glass may
 * release under; `answer` is an answer that breaks the contract, and never opens anything.
 */
export type PolicyFaultKind =
  | 'unreachable'
  | 'timeout'
  | 'http_status'
  | 'overloaded'
  | 'breaker_open'
  | 'answer'
  | 'untrusted';

export class PolicyFault extends HttpFault {
  override readonly name = 'PolicyFault';
  readonly kind: PolicyFaultKind;
  /** Of a breaker that is open: the kind that opened it. */
  readonly openedBy: PolicyFaultKind | null;
  /** Of `http_status`: 400 to 599. */
  readonly status: number | null;

  constructor(
    kind: PolicyFaultKind,
    message: string,
    more: { cause?: unknown; openedBy?: PolicyFaultKind; status?: number } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.openedBy = more.openedBy ?? null;
    this.status = more.status ?? null;
  }
}

/** The decision point as the HTTP client speaks of it. */
export const decisionPoint: Party = {
  name: 'the decision point',
  fault: (kind, message, more) => new PolicyFault(kind, message, more),
};
