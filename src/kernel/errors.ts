import { type ErrorKind, REASONS, type ReasonCode } from './reason.ts';

export interface ErrorDetails {
  /** What to do, where the reason's own hint is too general. */
  readonly hint?: string;
  readonly decisionId?: string;
  /** As the ledger records it: what the decision point said, or that it was not asked. */
  readonly policyEffect?: 'allow' | 'deny' | 'not_asked' | 'fault';
  /** The decision point's own word for it. */
  readonly policyReason?: string;
  readonly ledgerSeq?: bigint;
  readonly requestId?: string;
  /** After how many milliseconds a retry makes sense (limits only). */
  readonly retryAfterMs?: number;
  /** For the log and for administrators; never shown to the caller. */
  readonly cause?: unknown;
  /** What only an administrator may read (that an actor exists, say). */
  readonly privateDetail?: string;
}

/**
 * The one error that leaves an operation. `message` is the sentence shown to the caller: lower case, no full
 * stop, no secret, and nothing that tells an unauthorised caller what exists.
 */
export class WardenError extends Error {
  override readonly name = 'WardenError';
  readonly code: ReasonCode;
  readonly details: ErrorDetails;

  constructor(code: ReasonCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get kind(): ErrorKind {
    return REASONS[this.code].kind;
  }

  get hint(): string {
    return this.details.hint ?? REASONS[this.code].hint;
  }

  /** The same error with more known about it (ledger number, request id). */
  with(more: ErrorDetails): WardenError {
    const copy = new WardenError(this.code, this.message, { ...this.details, ...more });
    if (this.stack !== undefined) copy.stack = this.stack;
    return copy;
  }
}

/** Anything thrown, as a WardenError: unknown failures become `internal` with nothing of theirs in the message. */
export function asWardenError(thrown: unknown): WardenError {
  if (thrown instanceof WardenError) return thrown;
  return new WardenError('internal', 'internal error', { cause: thrown });
}
