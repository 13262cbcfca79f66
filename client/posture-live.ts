import { neededMounts } from '../src/config/needed-mounts.ts';
import { WardenError } from '../src/kernel/errors.ts';
import { Secret } from '../src/kernel/secret.ts';
import { connectOpenBao } from '../src/openbao/connect.ts';
import { OpenBaoFault } from '../src/openbao/fault.ts';
import { readStoreFacts } from '../src/openbao/store-facts.ts';
import type { LiveFacts } from '../src/posture/live.ts';
import type { Environment } from '../src/posture/manifest.ts';
import { WardenDefinition } from '../src/rpc/generated/warden/v1/warden.ts';
import { quoted, usageError } from './args.ts';
import { requireConfig } from './config-offline.ts';
import { withDaemon } from './connect.ts';
import type { Invocation } from './invocation.ts';
import { ambientToken } from './openbao-token.ts';

/**
 * Asks the running daemon for its posture, and the OpenBao of its config for what it is; with the user's own token,
 * reading only. @throws WardenError where one of them cannot be asked
 */
export async function liveFacts(invocation: Invocation): Promise<LiveFacts> {
  const { fullName, methods } = WardenDefinition;
  const snapshot = await requireConfig(invocation);
  const { settings } = snapshot;
  const { openbao = null } = settings;
  if (openbao === null) {
    throw usageError('--live asks OpenBao, and warden.yaml has no openbao: block', 'leave --live out, or use --config');
  }
  const { posture } = await withDaemon(invocation, (channel) => channel.unary(fullName, methods.status, {}));
  const token = ambientToken(invocation.env);
  if (token.length === 0) {
    throw usageError('no OpenBao token of yours was found', 'log in: bao login; or set BAO_TOKEN');
  }
  const client = connectOpenBao({ settings: openbao, login: null, acceptDoubles: settings.posture !== 'prod' });
  try {
    const store = await readStoreFacts(client, new Secret(token));
    return { posture, store, neededMounts: neededMounts(snapshot) };
  } catch (error) {
    throw asLiveError(error);
  } finally {
    token.fill(0);
    await client.close();
  }
}

/** The environment that the daemon serves. @throws WardenError invalid_request where it must be said which */
export function liveEnvironment(
  environments: readonly Environment[],
  posture: string,
  name: string | undefined,
): { readonly environment: Environment; readonly index: number } {
  const found = environments
    .map((environment, index) => ({ environment, index }))
    .filter(({ environment }) => (name === undefined ? environment.posture === posture : environment.id === name));
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  if (name !== undefined) throw usageError(`the manifest has no environment ${quoted(name)}, once`);
  throw usageError(
    `the manifest has ${found.length} environments of posture ${posture}, in which the daemon runs`,
    'say which one it serves: --environment ID',
  );
}

/** Not to be able to look is no finding: it must not share its exit code. */
function asLiveError(error: unknown): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  if (error.kind === 'token_invalid' || error.kind === 'forbidden') {
    return usageError(
      'your OpenBao token may not read what --live judges',
      'it wants read on sys/mounts, and read with sudo on sys/audit',
    );
  }
  return new WardenError('owner_unavailable', error.message, {
    cause: error,
    hint: 'see openbao.address and openbao.ca_file in warden.yaml, and whether OpenBao runs and is unsealed',
  });
}
