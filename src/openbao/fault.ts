import { HttpFault, type HttpFaultKind, type Party } from '../http/party.ts';

/**
 * What OpenBao can answer instead of what was asked for, one kind for each thing that a caller would do about it.
 * The first five are those of any outside system; see `src/http/party.ts`.
 */
export type OpenBaoFaultKind =
  | HttpFaultKind
  /** 503: no key holder has unsealed it. */
  | 'sealed'
  /** 429 of the health check, 472, 473, or a redirect: another node leads. */
  | 'standby'
  /** 501. */
  | 'not_initialised'
  /** 403 for the token itself: unknown, expired or revoked. */
  | 'token_invalid'
  /** 403 for the path: the token's policies do not permit it. */
  | 'forbidden'
  /** 400 and other 4xx: OpenBao read the request and will not have it. */
  | 'rejected'
  /** 404 with no errors: nothing is at this path. */
  | 'no_value'
  /** 404 with a whole answer: the newest version is deleted or destroyed. */
  | 'deleted'
  /** 404: no engine is mounted there. */
  | 'no_mount'
  /** 404: there is no such namespace. */
  | 'no_namespace'
  /** 404: the engine knows no such path. */
  | 'no_path'
  /** 429 of a rate limit. */
  | 'rate_limited'
  /** 429 of a lease count quota. */
  | 'quota'
  /** An answer that is wrapped where none was asked for. */
  | 'wrapped'
  /** 5xx. */
  | 'server_error';

export interface OpenBaoFaultDetails {
  readonly cause?: unknown;
  /** HTTP status; absent where no answer came. */
  readonly status?: number;
  /** What OpenBao said, one line, at most 300 characters, cleared of whatever secrets the request carried. */
  readonly said?: string;
  /** Of 429: when a retry makes sense, in milliseconds. */
  readonly retryAfterMs?: number;
}

export class OpenBaoFault extends HttpFault {
  override readonly name = 'OpenBaoFault';
  readonly kind: OpenBaoFaultKind;
  readonly status: number | null;
  readonly said: string;
  readonly retryAfterMs: number | null;

  constructor(kind: OpenBaoFaultKind, message: string, details: OpenBaoFaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.status = details.status ?? null;
    this.said = details.said ?? '';
    this.retryAfterMs = details.retryAfterMs ?? null;
  }
}

/** OpenBao as the HTTP client speaks of it. */
export const openBao: Party = {
  name: 'OpenBao',
  fault: (kind, message, more) => new OpenBaoFault(kind, message, more),
};

/** Faults that time may mend; all others stay until somebody does something about them. */
const PASSING: ReadonlySet<OpenBaoFaultKind> = new Set([
  'unreachable',
  'timeout',
  'overloaded',
  'answer',
  'untrusted',
  'sealed',
  'standby',
  'not_initialised',
  'rate_limited',
  'quota',
  'server_error',
]);

export function isPassing(fault: OpenBaoFault): boolean {
  return PASSING.has(fault.kind);
}
