import { WardenError } from '../kernel/errors.ts';
import { OpenBaoFault } from '../openbao/fault.ts';

export interface AskedOf {
  /** As the store's policies name it. */
  readonly path: string;
  readonly as: 'caller' | 'daemon';
}

const MEND_ADDRESS = 'see openbao.address in warden.yaml, and whether OpenBao runs; the daemon goes on by itself then';

/** What a failure of OpenBao is to whoever asked for a secret. Anything unknown stays what it is. */
export function errorOfOwner(error: unknown, { path, as }: AskedOf): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  const whose = as === 'caller' ? 'your token' : "the daemon's token";
  const refused = (message: string, hint: string): WardenError =>
    new WardenError('owner_refused', message, { hint, cause: error, privateDetail: privateWords(error) });
  switch (error.kind) {
    case 'token_invalid':
      return refused(
        // Where there is no token at all, it is the login that was refused.
        error.cause instanceof OpenBaoFault
          ? error.message
          : `OpenBao does not take ${whose}: it is unknown, expired or revoked`,
        as === 'caller' ? 'log in again: bao login' : '`warden status` says how its login went; openbao.login names it',
      );
    case 'forbidden':
      return refused(`the policies of ${whose} do not permit ${path}`, `ask the owner for read on ${path}`);
    case 'rejected':
      return refused(`OpenBao rejected the request for ${path}`, "see the daemon's log for what it said");
    case 'no_mount':
    case 'no_path':
      return refused(`OpenBao has no engine that answers at ${path}`, 'mend location: of the route in routes.yaml');
    case 'no_namespace':
      return refused('OpenBao has no such namespace', 'mend openbao.namespace in warden.yaml');
    case 'no_value':
      return missing(error, `OpenBao has nothing at ${path}`);
    case 'deleted':
      return missing(error, `the newest version at ${path} is deleted or destroyed`);
    case 'answer':
    case 'wrapped':
      return unavailable(error, 'tell the owner of OpenBao: its answer breaks the contract');
    case 'untrusted':
      return unavailable(error, 'see openbao.address and openbao.ca_file in warden.yaml, and the log of the daemon');
    case 'sealed':
      return unavailable(error, 'its key holders unseal it: bao operator unseal; the daemon goes on by itself then');
    case 'not_initialised':
      return unavailable(error, 'it wants initialising: bao operator init');
    case 'rate_limited':
    case 'quota':
    case 'overloaded':
      return unavailable(error, 'ask again in a moment');
    case 'standby':
    case 'unreachable':
    case 'timeout':
    case 'server_error':
      return unavailable(error, MEND_ADDRESS);
  }
}

function missing(cause: OpenBaoFault, message: string): WardenError {
  return new WardenError('secret_missing', message, { cause, privateDetail: privateWords(cause) });
}

/** Where the fault's own sentence names files or codes, which are for the log. */
const PUBLIC: Partial<Record<OpenBaoFault['kind'], string>> = {
  untrusted: 'OpenBao could not show that it is the one configured, or the daemon not who it is',
  unreachable: 'OpenBao cannot be reached',
};

function unavailable(fault: OpenBaoFault, hint: string): WardenError {
  return new WardenError('owner_unavailable', PUBLIC[fault.kind] ?? fault.message, {
    hint,
    cause: fault,
    privateDetail: privateWords(fault),
    ...(fault.retryAfterMs === null ? {} : { retryAfterMs: fault.retryAfterMs }),
  });
}

function privateWords({ message, said, status }: OpenBaoFault): string {
  return [message, status === null ? '' : `HTTP ${status}`, said].filter((part) => part !== '').join('; ');
}
