import type { IncomingHttpHeaders } from 'node:http';
import { single } from '../http/answer.ts';
import { OpenBaoFault, type OpenBaoFaultDetails } from './fault.ts';

/**
 * Which fault an answer is that is neither 200 nor 204. The status alone does not tell: 403 means two things,
 * 404 five, 429 three. `errors` is the list in the body, null where the body is none of OpenBao's error bodies;
 * `envelope` says that it is a whole answer nonetheless, `anonymous` that the request carried no token to blame.
 */
export function judgeFailure(
  status: number,
  errors: readonly string[] | null,
  envelope: boolean,
  details: OpenBaoFaultDetails,
  anonymous = false,
): OpenBaoFault {
  const fault = (kind: OpenBaoFault['kind'], message: string): OpenBaoFault =>
    new OpenBaoFault(kind, message, { ...details, status });
  const said = (errors ?? []).join(' ');
  if (status >= 300 && status < 400) return fault('standby', 'another node of OpenBao leads, and this one redirects');
  switch (status) {
    case 403:
      // A login that is refused: by Kubernetes' review of the token, say.
      if (anonymous && errors !== null) return fault('rejected', 'OpenBao rejected the request');
      // A token that is not good is told so in two plain words; a policy's no comes as a list of errors.
      return errors?.length === 1 && errors[0] === 'permission denied'
        ? fault('token_invalid', 'OpenBao does not take the token: it is unknown, expired or revoked')
        : fault('forbidden', "the token's policies do not permit this path");
    case 404:
      if (envelope) return fault('deleted', 'the newest version in OpenBao is deleted or destroyed');
      if (errors?.length === 0) return fault('no_value', 'OpenBao has nothing at this path');
      if (said.includes('namespace not found')) return fault('no_namespace', 'OpenBao has no such namespace');
      if (said.includes('no handler for route')) return fault('no_mount', 'OpenBao has no engine mounted there');
      if (said.includes('unsupported path')) return fault('no_path', 'OpenBao knows no such path');
      return fault('answer', 'HTTP 404 does not come from OpenBao');
    case 429:
      if (said.includes('lease count quota')) return fault('quota', 'a lease count quota of OpenBao is used up');
      return errors === null
        ? fault('standby', 'this node of OpenBao is on standby')
        : fault('rate_limited', 'OpenBao limits the rate of requests');
    case 472:
    case 473:
      return fault('standby', 'this node of OpenBao is on standby');
    case 501:
      return fault('not_initialised', 'OpenBao is not initialised');
    case 503:
      return /sealed/i.test(said)
        ? fault('sealed', 'OpenBao is sealed')
        : fault('server_error', 'OpenBao failed with HTTP 503');
  }
  // What a node says between unsealing and leading.
  if (status >= 500 && said.includes('local node not active')) return fault('standby', 'no node of OpenBao leads yet');
  if (status >= 500) return fault('server_error', `OpenBao failed with HTTP ${status}`);
  if (status >= 400 && errors !== null) return fault('rejected', 'OpenBao rejected the request');
  return fault('answer', `HTTP ${status} is no answer of OpenBao`);
}

/** Seconds of a Retry-After header as milliseconds, at most an hour. */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const value = single(headers, 'retry-after');
  return value !== null && /^\d{1,6}$/.test(value) ? Math.min(Number(value), 3600) * 1000 : undefined;
}
