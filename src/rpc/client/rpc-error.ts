import { type ErrorKind, isReasonCode, REASONS } from '../../kernel/reason.ts';

export interface RpcErrorDetails {
  readonly hint?: string;
  readonly decisionId?: string;
  /** "allow", "deny", "not_asked" or "fault"; undefined where the request did not come to the gate. */
  readonly policyEffect?: string;
  readonly policyReason?: string;
  readonly ledgerSeq?: string;
  readonly requestId?: string;
  readonly retryAfterMs?: number;
}

/**
 * An error that the daemon answered with. Its reason may be newer than this client, so it is a plain string
 * where a WardenError's is closed; everything in it came over the wire and is cleaned before it is printed.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  /** gRPC status code, 0 to 16. */
  readonly status: number;
  readonly reason: string;
  readonly details: RpcErrorDetails;

  constructor(status: number, reason: string, message: string, details: RpcErrorDetails = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.details = details;
  }

  get kind(): ErrorKind {
    return isReasonCode(this.reason) ? REASONS[this.reason].kind : (KIND_OF_STATUS[this.status] ?? 'internal');
  }

  get hint(): string {
    return this.details.hint ?? (isReasonCode(this.reason) ? REASONS[this.reason].hint : '');
  }
}

const KIND_OF_STATUS: Readonly<Record<number, ErrorKind>> = {
  1: 'unavailable', // CANCELLED
  3: 'usage', // INVALID_ARGUMENT
  4: 'unavailable', // DEADLINE_EXCEEDED
  5: 'refused', // NOT_FOUND
  6: 'refused', // ALREADY_EXISTS
  7: 'refused', // PERMISSION_DENIED
  8: 'refused', // RESOURCE_EXHAUSTED
  9: 'refused', // FAILED_PRECONDITION
  10: 'unavailable', // ABORTED
  11: 'usage', // OUT_OF_RANGE
  12: 'usage', // UNIMPLEMENTED
  14: 'unavailable', // UNAVAILABLE
  16: 'refused', // UNAUTHENTICATED
};

/** The reason that stands for a bare gRPC status, where the answer carried no ErrorInfo. */
export function reasonOfStatus(status: number): string {
  if (status === 3) return 'invalid_request';
  if (status === 4) return 'deadline_exceeded';
  if (status === 12) return 'unimplemented';
  if (status === 14) return 'draining';
  return 'internal';
}
