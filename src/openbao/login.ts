import * as z from 'zod';
import { CredentialFile } from '../http/credential-file.ts';
import { privatePem, publicPem } from '../http/pem.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Correlation } from '../kernel/spans.ts';
import { MAX_ACCESSOR, type TokenGrant } from './answer.ts';
import type { OpenBaoClient } from './client.ts';
import type { BodyFields } from './encode.ts';
import { OpenBaoFault, openBao } from './fault.ts';
import { apiPath } from './path.ts';
import type { LoginMethod, LoginSettings } from './settings.ts';

/** A way to a token. */
export interface Login {
  readonly method: LoginMethod;
  /** False where the token is another's: it is neither renewed nor revoked by us. */
  readonly ownsToken: boolean;
  /** What the login stands on, as objects that stay the same for as long as the files do. Asks nobody. @throws OpenBaoFault untrusted */
  materials(): Promise<readonly object[]>;
  /** @throws OpenBaoFault */
  logIn(signal: AbortSignal): Promise<TokenGrant>;
}

export function createLogin(settings: LoginSettings, client: OpenBaoClient): Login {
  switch (settings.method) {
    case 'token_file':
      return tokenFile(settings.token_file, client);
    case 'approle': {
      const roleId = file(settings.role_id_file, 'openbao.login.role_id_file');
      const secretId = file(settings.secret_id_file, 'openbao.login.secret_id_file');
      return posting(settings, client, [roleId, secretId], async () => ({
        role_id: await roleId.read(),
        secret_id: await secretId.read(),
      }));
    }
    case 'jwt':
    case 'kubernetes': {
      const { role, method } = settings;
      const jwt = file(settings.jwt_file, 'openbao.login.jwt_file', method === 'kubernetes');
      return posting(settings, client, [jwt], async () => ({ role, jwt: await jwt.read() }));
    }
    case 'cert': {
      const cert = { read: publicPem(openBao, settings.cert_file, 'openbao.login.cert_file') };
      const key = { read: privatePem(openBao, settings.key_file, 'openbao.login.key_file') };
      return posting(settings, client, [cert, key], async () =>
        settings.role === null ? {} : { name: settings.role },
      );
    }
  }
}

type Readable = { read(): Promise<object> };

/** Every method but one posts what it knows to `auth/<mount>/login`. */
function posting(
  { method, mount }: Exclude<LoginSettings, { method: 'token_file' }>,
  client: OpenBaoClient,
  files: readonly Readable[],
  body: () => Promise<BodyFields>,
): Login {
  return {
    method,
    ownsToken: true,
    materials: () => Promise.all(files.map((one) => one.read())),
    async logIn(signal) {
      const path = apiPath('auth', mount, 'login');
      const { grant } = await client.call({ method: 'POST', path, token: null, body: await body(), signal });
      if (grant === null) throw new OpenBaoFault('answer', 'the login was answered without a token');
      return grant;
    },
  };
}

/** `id`, the token itself, is in the answer too; it is not read, and the body goes nowhere. */
const Lookup = z.object({
  accessor: z
    .string()
    .max(MAX_ACCESSOR)
    .regex(/^[\x21-\x7e]*$/),
  ttl: z.number().int().nonnegative(),
  policies: z.array(z.string()).nullish(),
});

function tokenFile(path: string, client: OpenBaoClient): Login {
  const token = file(path, 'openbao.login.token_file');
  return {
    method: 'token_file',
    ownsToken: false,
    materials: async () => [await token.read()],
    async logIn(signal) {
      const secret = await token.read();
      return await lookUp(secret, client, signal);
    },
  };
}

/** What OpenBao knows of a token. @throws OpenBaoFault token_invalid where it is none */
export async function lookUp(
  token: Secret,
  client: OpenBaoClient,
  signal?: AbortSignal,
  correlation?: Correlation,
): Promise<TokenGrant> {
  const answer = await client.call({ method: 'GET', path: 'auth/token/lookup-self', token, correlation, signal });
  const found = Lookup.safeParse(answer.data);
  if (!found.success) throw new OpenBaoFault('answer', 'the answer to lookup-self breaks the contract of OpenBao');
  const { accessor, ttl, policies } = found.data;
  return { token, accessor, ttlSeconds: ttl, renewable: false, policies: policies ?? [] };
}

function file(path: string, setting: string, shared = false): CredentialFile {
  return new CredentialFile({ party: openBao, path, setting, maxBytes: 65_536, shared });
}
