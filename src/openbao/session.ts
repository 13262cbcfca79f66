import type { OpenBaoAnswer } from './answer.ts';
import type { OpenBaoClient, OpenBaoRequest } from './client.ts';
import { OpenBaoFault } from './fault.ts';
import { faultOfHealth } from './health.ts';
import type { HeldToken, TokenSource } from './token-source.ts';

/** OpenBao in the daemon's own name: a client, and the token that goes with each call. */
export interface OpenBaoSession {
  readonly client: OpenBaoClient;
  readonly tokens: TokenSource;
}

export interface DaemonAnswer extends OpenBaoAnswer {
  /** Of the token that the call was made with. */
  readonly tokenAccessor: string;
}

/**
 * One call with the daemon's token. Where OpenBao does not take the token it has done nothing, so the call is made
 * once more with a new one, if there is one.
 * @throws OpenBaoFault; WardenError deadline_exceeded where the signal ended
 */
export async function callAsDaemon(
  { client, tokens }: OpenBaoSession,
  request: Omit<OpenBaoRequest, 'token'>,
): Promise<DaemonAnswer> {
  const call = async (held: HeldToken): Promise<DaemonAnswer> => {
    const answer = await client.call({ ...request, token: held.secret });
    return { ...answer, tokenAccessor: held.accessor };
  };
  const first = await tokens.current();
  try {
    return await call(first);
  } catch (error) {
    if (!(error instanceof OpenBaoFault) || error.kind !== 'token_invalid') throw error;
    tokens.rejected(first);
    return await call(await tokens.current());
  }
}

/** Is it unsealed, and does it take us? @throws OpenBaoFault */
export async function sessionReady({ client, tokens }: OpenBaoSession): Promise<void> {
  const fault = faultOfHealth(await client.health());
  if (fault !== null) throw fault;
  await tokens.current();
}

export async function closeSession({ client, tokens }: OpenBaoSession): Promise<void> {
  await tokens.close();
  await client.close();
}
