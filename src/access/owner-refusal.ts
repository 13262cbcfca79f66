import { WardenError } from '../kernel/errors.ts';
import { OpenBaoFault } from '../openbao/fault.ts';
import { isOutage, outageError, privateWords } from '../openbao/outage.ts';

export interface AskedOf {
  /** As the store's policies name it. */
  readonly path: string;
  readonly as: 'caller' | 'daemon';
}

/** What a failure of OpenBao is to whoever asked for a secret. Anything unknown stays what it is. */
export function errorOfOwner(error: unknown, { path, as }: AskedOf): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  const whose = as === 'caller' ? 'your token' : "the daemon's token";
  const refused = (message: string, hint: string): WardenError =>
    new WardenError('owner_refused', message, { hint, cause: error, privateDetail: privateWords(error) });
  const { kind } = error;
  if (isOutage(kind)) return outageError('owner_unavailable', kind, error);
  switch (kind) {
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
  }
}

function missing(cause: OpenBaoFault, message: string): WardenError {
  return new WardenError('secret_missing', message, { cause, privateDetail: privateWords(cause) });
}
