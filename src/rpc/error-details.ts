import type { WardenError } from '../kernel/errors.ts';
import { ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status as RpcStatus } from './generated/google/rpc/status.ts';
import { STATUS_OF, type StatusCode } from './status.ts';

const ERROR_DOMAIN = 'warden';
const TYPE_URL = 'type.googleapis.com/google.rpc.';

export interface WireError {
  readonly code: StatusCode;
  /** One sentence; for `internal` nothing but that. */
  readonly details: string;
  /** Bytes of google.rpc.Status for `grpc-status-details-bin`. */
  readonly statusDetails: Buffer;
}

/**
 * A WardenError as it leaves on the wire: always a fresh object, so that no field of a caught error can turn
 * into a status code or a sentence.
 */
export function toWireError(error: WardenError): WireError {
  const { decisionId, policyEffect, policyReason, ledgerSeq, requestId, retryAfterMs } = error.details;
  const metadata: Record<string, string> = { hint: error.hint };
  if (decisionId !== undefined && decisionId !== '') metadata.decision_id = decisionId;
  if (policyEffect !== undefined) metadata.policy_effect = policyEffect;
  if (policyReason !== undefined && policyReason !== '') metadata.policy_reason = policyReason;
  if (ledgerSeq !== undefined) metadata.ledger_seq = String(ledgerSeq);
  if (requestId !== undefined) metadata.request_id = requestId;

  const info = ErrorInfo.encode({ reason: error.code, domain: ERROR_DOMAIN, metadata }).finish();
  const details = [{ typeUrl: `${TYPE_URL}ErrorInfo`, value: Buffer.from(info) }];
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs % 1000) * 1e6);
    const retry = RetryInfo.encode({ retryDelay: { seconds: BigInt(seconds), nanos } }).finish();
    details.push({ typeUrl: `${TYPE_URL}RetryInfo`, value: Buffer.from(retry) });
  }
  const code = STATUS_OF[error.code];
  const status = RpcStatus.encode({ code, message: error.message, details }).finish();
  return { code, details: error.message, statusDetails: Buffer.from(status) };
}
