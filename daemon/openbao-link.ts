import { isDeepStrictEqual } from 'node:util';
import type { Snapshot } from '../src/config/snapshot.ts';
import type { OpenBaoClient } from '../src/openbao/client.ts';
import { connectOpenBao } from '../src/openbao/connect.ts';
import { createLogin } from '../src/openbao/login.ts';
import type { TokenSource } from '../src/openbao/token-source.ts';
import { Tokens } from '../src/openbao/tokens.ts';
import { native } from '../src/unix/native.ts';

/** The one client and login at OpenBao: authority and lanes share them. */
export interface OpenBaoLink {
  readonly client: OpenBaoClient;
  /** Null where nothing is done in the daemon's own name. */
  readonly tokens: TokenSource | null;
  /** To be called after whoever uses it has ended. */
  close(): Promise<void>;
}

/** Null where no OpenBao is configured, and in the dev posture. The former one where nothing of it changed. */
export function chooseOpenBaoLink(
  snapshot: Snapshot,
  former: { readonly snapshot: Snapshot; readonly openbao: OpenBaoLink | null } | null,
): OpenBaoLink | null {
  if (former !== null && isDeepStrictEqual(basis(former.snapshot), basis(snapshot))) return former.openbao;
  const { posture, openbao = null } = snapshot.settings;
  if (openbao === null || posture === 'dev') return null;
  const { login } = openbao;
  const client = connectOpenBao({
    settings: openbao,
    login,
    acceptDoubles: posture !== 'prod',
    peerUidOf: (fd) => native().peerCredentials(fd).uid,
  });
  const tokens =
    login !== null && needsLogin(snapshot) ? new Tokens({ login: createLogin(login, client), client }) : null;
  return {
    client,
    tokens,
    async close() {
      await tokens?.close();
      await client.close();
    },
  };
}

function basis(snapshot: Snapshot): unknown {
  return [snapshot.settings.posture, snapshot.settings.openbao ?? null, needsLogin(snapshot)];
}

function needsLogin({ settings, routes }: Snapshot): boolean {
  return settings.backend === 'openbao' || [...routes.values()].some((route) => route.as === 'daemon');
}
