import type { FetchRequest } from '../src/rpc/generated/warden/v1/warden.ts';
import { type Args, usageError } from './args.ts';
import type { Invocation } from './invocation.ts';
import { ambientToken } from './openbao-token.ts';
import { readIdToken } from './sign-request.ts';

export interface FetchShape {
  readonly fields: readonly string[];
  readonly single: boolean;
  readonly wrapTtlSeconds: bigint;
}

/** What the options and the environment ask for, as it goes to the daemon. @throws WardenError invalid_request */
export function readFetchRequest(invocation: Invocation, shape: FetchShape): FetchRequest {
  const { args, env } = invocation;
  return {
    route: args.positional(0),
    actor: args.string('actor') ?? '',
    fields: [...shape.fields],
    single: shape.single,
    wrapTtlSeconds: shape.wrapTtlSeconds,
    openbaoToken: ambientToken(env),
    subject: env.WARDEN_POLICY_SUBJECT ?? '',
    idToken: readIdToken(invocation),
    reason: args.string('reason') ?? '',
    ticket: args.string('ticket') ?? '',
  };
}

/** Of --wrap-ttl; 0 without it. @throws WardenError invalid_request */
export function wrapSeconds(args: Args): bigint {
  const wrapMs = args.durationMs('wrap-ttl');
  if (wrapMs !== undefined && (wrapMs < 1000 || wrapMs > 86_400_000)) {
    throw usageError('--wrap-ttl is from 1s to 24h', 'write 5m or 1h');
  }
  return BigInt(Math.floor((wrapMs ?? 0) / 1000));
}
