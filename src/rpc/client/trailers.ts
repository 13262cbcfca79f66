import { ErrorInfo, RetryInfo } from '../generated/google/rpc/error_details.ts';
import { Status } from '../generated/google/rpc/status.ts';
import { RpcError, type RpcErrorDetails, reasonOfStatus } from './rpc-error.ts';

/** HTTP/2 headers as node:http2 gives them. */
export type Headers = Readonly<Record<string, unknown>>;

/** `grpc-message` is percent-encoded UTF-8; what does not decode is left as it stands, as the protocol asks. */
export function decodeGrpcMessage(text: string): string {
  const bytes: number[] = [];
  const raw = Buffer.from(text, 'utf8');
  for (let i = 0; i < raw.length; i++) {
    const escaped = raw[i] === 0x25 ? /^[0-9a-f]{2}$/i.exec(raw.toString('latin1', i + 1, i + 3)) : null;
    if (escaped === null) {
      bytes.push(raw[i] as number);
    } else {
      bytes.push(Number.parseInt(escaped[0], 16));
      i += 2;
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

/** What the trailers of a failed call say, with the daemon's reason and details where it gave them. */
export function errorOf(status: number, headers: Headers): RpcError {
  const plain = typeof headers['grpc-message'] === 'string' ? decodeGrpcMessage(headers['grpc-message']) : '';
  const encoded = headers['grpc-status-details-bin'];
  const rich = typeof encoded === 'string' ? readDetails(encoded) : null;
  const message = rich?.message || plain || 'the daemon gave no reason';
  return new RpcError(status, rich?.reason ?? reasonOfStatus(status), message, rich?.details);
}

interface Rich {
  readonly message: string;
  readonly reason: string | null;
  readonly details: RpcErrorDetails;
}

/** Null where the bytes are no google.rpc.Status: the plain status and message then have to do. */
function readDetails(encoded: string): Rich | null {
  try {
    const status = Status.decode(Buffer.from(encoded, 'base64'));
    let reason: string | null = null;
    let details: RpcErrorDetails = {};
    for (const any of status.details) {
      if (any.typeUrl === 'type.googleapis.com/google.rpc.ErrorInfo') {
        const info = ErrorInfo.decode(any.value);
        if (info.domain !== 'warden') continue;
        reason = info.reason;
        details = { ...details, ...fromMetadata(info.metadata) };
      } else if (any.typeUrl === 'type.googleapis.com/google.rpc.RetryInfo') {
        const delay = RetryInfo.decode(any.value).retryDelay;
        if (delay !== undefined) {
          details = { ...details, retryAfterMs: Number(delay.seconds) * 1000 + Math.ceil(delay.nanos / 1e6) };
        }
      }
    }
    return { message: status.message, reason, details };
  } catch {
    return null;
  }
}

function fromMetadata(metadata: Readonly<Record<string, string>>): RpcErrorDetails {
  const [hint, decisionId, policyEffect, policyReason, ledgerSeq, requestId] = [
    'hint',
    'decision_id',
    'policy_effect',
    'policy_reason',
    'ledger_seq',
    'request_id',
  ].map((key) => (Object.hasOwn(metadata, key) && metadata[key]) || undefined);
  return {
    ...(hint !== undefined && { hint }),
    ...(decisionId !== undefined && { decisionId }),
    ...(policyEffect !== undefined && { policyEffect }),
    ...(policyReason !== undefined && { policyReason }),
    ...(ledgerSeq !== undefined && { ledgerSeq }),
    ...(requestId !== undefined && { requestId }),
  };
}
