import { WardenError } from '../kernel/errors.ts';
import type { OpenBaoFault, OpenBaoFaultKind } from './fault.ts';

const CONTRACT = 'tell the owner of OpenBao: its answer breaks the contract';
const BUSY = 'ask again in a moment';
const AWAY = 'see openbao.address in warden.yaml, and whether OpenBao runs; the daemon goes on by itself then';

/** Faults of OpenBao itself, whatever was asked of it, and what mends each. */
const MENDS = {
  answer: CONTRACT,
  wrapped: CONTRACT,
  untrusted: 'see openbao.address and openbao.ca_file in warden.yaml, and the log of the daemon',
  sealed: 'its key holders unseal it: bao operator unseal; the daemon goes on by itself then',
  not_initialised: 'it wants initialising: bao operator init',
  rate_limited: BUSY,
  quota: BUSY,
  overloaded: BUSY,
  standby: AWAY,
  unreachable: AWAY,
  timeout: AWAY,
  server_error: AWAY,
} as const satisfies Partial<Record<OpenBaoFaultKind, string>>;

type OutageKind = keyof typeof MENDS;

/** Where the fault's own sentence names files or codes, which are for the log. */
const PUBLIC: Partial<Record<OutageKind, string>> = {
  untrusted: 'OpenBao could not show that it is the one configured, or the daemon not who it is',
  unreachable: 'OpenBao cannot be reached',
};

export function isOutage(kind: OpenBaoFaultKind): kind is OutageKind {
  return Object.hasOwn(MENDS, kind);
}

/** An outage of OpenBao, as whoever stands on it has it: the sentence for all, the rest for the log. */
export function outageError(
  code: 'owner_unavailable' | 'ca_unavailable',
  kind: OutageKind,
  fault: OpenBaoFault,
): WardenError {
  return new WardenError(code, PUBLIC[kind] ?? fault.message, {
    hint: MENDS[kind],
    cause: fault,
    privateDetail: privateWords(fault),
    ...(fault.retryAfterMs === null ? {} : { retryAfterMs: fault.retryAfterMs }),
  });
}

/** All that OpenBao said, for the log and for administrators. */
export function privateWords({ message, said, status }: OpenBaoFault): string {
  return [message, status === null ? '' : `HTTP ${status}`, said].filter((part) => part !== '').join('; ');
}
