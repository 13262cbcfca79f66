import { Secret } from '../../kernel/secret.ts';
import { createClient } from '../../openbao/client.ts';
import type { Login } from '../../openbao/login.ts';
import type { OpenBaoSession } from '../../openbao/session.ts';
import { Tokens } from '../../openbao/tokens.ts';
import type { CertificateAuthority } from '../../signing/certificate-authority.ts';
import { createOpenBaoDouble } from '../openbao-http.ts';

export interface DevSessionOptions {
  /** Signs for the SSH engine: a synthetic one. */
  readonly authority: CertificateAuthority;
  readonly mount: string;
  readonly roles: readonly string[];
}

const ROLE = {
  key_type: 'ca',
  allow_user_certificates: true,
  allow_user_key_ids: true,
  allowed_users: '*',
  allowed_extensions: '*',
};

/**
 * OpenBao as the dev posture has it: in this process, furnished as `warden openbao setup` would, and asked
 * through the very client that asks the real one. No socket is opened.
 */
export async function openDevSession({ authority, mount, roles }: DevSessionOptions): Promise<OpenBaoSession> {
  const double = createOpenBaoDouble();
  const { state, transport } = double;
  state.mount(mount, 'ssh', {}, authority);
  const client = createClient({ transport, basePath: '', namespace: null, acceptDoubles: true });
  const root = Secret.fromString(state.rootToken);
  for (const role of roles) {
    await client.call({ method: 'POST', path: `${mount}/roles/${encodeURIComponent(role)}`, token: root, body: ROLE });
  }
  return { client, tokens: new Tokens({ login: devLogin(state.rootToken), client }) };
}

/** The token of the double needs no login. */
function devLogin(token: string): Login {
  return {
    method: 'token_file',
    ownsToken: false,
    materials: async () => [],
    logIn: async () => ({
      token: Secret.fromString(token),
      accessor: 'synthetic-accessor',
      ttlSeconds: 0,
      renewable: false,
      policies: [],
    }),
  };
}
