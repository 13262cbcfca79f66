import type { SignRequest } from '../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from './args.ts';
import { readBounded } from './bounded-file.ts';
import type { Invocation } from './invocation.ts';

const MAX_TOKEN_BYTES = 16 * 1024;

/** What the options and the environment ask for, as it goes to the daemon. @throws WardenError invalid_request */
export function readSignRequest(invocation: Invocation, publicKey: string, purpose: 1 | 2): SignRequest {
  const { args, env } = invocation;
  return {
    actor: args.positional(0),
    publicKey,
    ttlSeconds: args.ttlSeconds('ttl'),
    principals: [...args.strings('principal')],
    purpose,
    subject: env.WARDEN_POLICY_SUBJECT ?? '',
    idToken: readIdToken(invocation),
    reason: args.string('reason') ?? '',
    ticket: args.string('ticket') ?? '',
    smokeId: '',
  };
}

/** The ID token of --id-token-file, else of WARDEN_ID_TOKEN, else "". Never shown, never written. */
export function readIdToken({ args, env }: Invocation): string {
  const file = args.string('id-token-file');
  if (file === undefined) return (env.WARDEN_ID_TOKEN ?? '').trim();
  if (file === '-' && args.command.options.pubkey !== undefined && args.string('pubkey') === '-') {
    throw usageError('stdin cannot give both the public key and the ID token', 'put one of them into a file');
  }
  return readBounded(file, 'the ID token', MAX_TOKEN_BYTES).toString('utf8').trim();
}
