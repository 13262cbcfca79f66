import type { Api, ApiAnswer, ApiOptions } from '../support/openbao.ts';

/** What a case may have from those before it. */
export interface CaseContext {
  readonly publicKey: string;
  readonly vars: Map<string, string>;
}

export interface ContractCase {
  readonly name: string;
  readonly method: string;
  readonly path: string | ((context: CaseContext) => string);
  readonly more?: ApiOptions | ((context: CaseContext) => ApiOptions);
  readonly status: number;
  /** Where given: what the body says, beyond having the same shape from both. */
  readonly errors?: readonly (string | RegExp)[];
  /** Keeps something of the answer for later cases. */
  readonly keep?: (answer: ApiAnswer, context: CaseContext) => void;
}

const data = ({ body }: ApiAnswer): Record<string, unknown> =>
  ((body as { data?: Record<string, unknown> | null } | null)?.data ?? {}) as Record<string, unknown>;
const auth = ({ body }: ApiAnswer): Record<string, unknown> =>
  ((body as { auth?: Record<string, unknown> | null } | null)?.auth ?? {}) as Record<string, unknown>;

const sign =
  (fields: Readonly<Record<string, unknown>>) =>
  ({ publicKey }: CaseContext): ApiOptions => ({ body: { public_key: publicKey, ...fields } });
const withToken =
  (name: string, body?: unknown) =>
  ({ vars }: CaseContext): ApiOptions => ({ token: vars.get(name) ?? '', ...(body === undefined ? {} : { body }) });

const PERMISSION_DENIED = '1 error occurred:\n\t* permission denied\n\n';
const ROLE = { key_type: 'ca', allow_user_certificates: true, allowed_users: '*', allow_user_key_ids: true };

/** In this order against one fresh server with nothing but a root token and the `secret` engine of a dev server. */
export const CONTRACT: readonly ContractCase[] = [
  { name: 'the health of an active server', method: 'GET', path: 'sys/health', more: { token: null }, status: 200 },

  { name: 'a root token that looks itself up', method: 'GET', path: 'auth/token/lookup-self', status: 200 },
  {
    name: 'a look-up with a bad token',
    method: 'GET',
    path: 'auth/token/lookup-self',
    more: { token: 's.bad' },
    status: 403,
    errors: ['permission denied'],
  },
  {
    name: 'a look-up with no token',
    method: 'GET',
    path: 'auth/token/lookup-self',
    more: { token: null },
    status: 403,
    errors: ['permission denied'],
  },
  {
    name: 'a root token that renews itself',
    method: 'POST',
    path: 'auth/token/renew-self',
    more: { body: {} },
    status: 400,
    errors: ['lease is not renewable'],
  },
  {
    name: 'a renewal with a bad token',
    method: 'POST',
    path: 'auth/token/renew-self',
    more: { body: {}, token: 's.bad' },
    status: 403,
    errors: ['permission denied'],
  },

  {
    name: 'a mount that is not there',
    method: 'GET',
    path: 'sys/mounts/ssh',
    status: 400,
    errors: ['No secret engine mount at ssh/'],
  },
  {
    name: 'a mount that is made',
    method: 'POST',
    path: 'sys/mounts/ssh',
    more: { body: { type: 'ssh' } },
    status: 204,
  },
  { name: 'a mount that is there', method: 'GET', path: 'sys/mounts/ssh', status: 200 },
  {
    name: 'a mount that is made twice',
    method: 'POST',
    path: 'sys/mounts/ssh',
    more: { body: { type: 'ssh' } },
    status: 400,
    errors: ['path is already in use at ssh/'],
  },

  {
    name: 'the CA of an engine without one',
    method: 'GET',
    path: 'ssh/config/ca',
    status: 400,
    errors: ['no default issuer currently configured'],
  },
  {
    name: 'the public key of an engine without a CA',
    method: 'GET',
    path: 'ssh/public_key',
    more: { token: null },
    status: 400,
    errors: ['no default issuer currently configured'],
  },
  { name: 'a role that is not there', method: 'GET', path: 'ssh/roles/agt', status: 404, errors: [] },
  { name: 'roles where there are none', method: 'GET', path: 'ssh/roles?list=true', status: 404, errors: [] },
  {
    name: 'a role that is made',
    method: 'POST',
    path: 'ssh/roles/agt',
    more: { body: { ...ROLE, max_ttl: '24h' } },
    status: 204,
  },
  {
    name: 'a signature of an engine without a CA',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a' }),
    status: 400,
    errors: ['no default issuer currently configured'],
  },
  {
    name: 'a CA that is made',
    method: 'POST',
    path: 'ssh/config/ca',
    more: { body: { generate_signing_key: true, key_type: 'ed25519' } },
    status: 200,
  },
  { name: 'the CA that was made', method: 'GET', path: 'ssh/config/ca', status: 200 },
  {
    name: 'its public key, without a token',
    method: 'GET',
    path: 'ssh/public_key',
    more: { token: null },
    status: 200,
  },
  { name: 'the role as it is read back', method: 'GET', path: 'ssh/roles/agt', status: 200 },
  { name: 'the roles by GET ?list=true', method: 'GET', path: 'ssh/roles?list=true', status: 200 },

  {
    name: 'a signature as planned',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({
      valid_principals: 'a,b',
      ttl: '3600s',
      cert_type: 'user',
      key_id: 'x/y/-',
      critical_options: {},
      extensions: {},
    }),
    status: 200,
  },
  {
    name: 'a signature by PUT',
    method: 'PUT',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a' }),
    status: 200,
  },
  {
    name: 'critical options on an empty list of allowed ones',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a', critical_options: { 'force-command': 'id' } }),
    status: 200,
  },
  {
    name: 'an extension on an empty list of allowed ones',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a', extensions: { 'permit-pty': '' } }),
    status: 400,
    errors: ['extensions [permit-pty] are not on allowed list'],
  },
  {
    name: 'a TTL above the maximum',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a', ttl: '100h' }),
    status: 400,
    errors: ['ttl is larger than maximum allowed 86400'],
  },
  {
    name: 'a host certificate of a role for users',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: sign({ valid_principals: 'a', cert_type: 'host' }),
    status: 400,
    errors: ["cert_type 'host' is not allowed by role"],
  },
  {
    name: 'a role that the engine does not know',
    method: 'POST',
    path: 'ssh/sign/nobody',
    more: sign({ valid_principals: 'a' }),
    status: 400,
    errors: ['Unknown role: nobody'],
  },
  {
    name: 'no public key',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: { body: { valid_principals: 'a' } },
    status: 400,
    errors: ['missing public_key'],
  },
  {
    name: 'a public key that is none',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: { body: { public_key: 'garbage', valid_principals: 'a' } },
    status: 400,
    errors: [/^failed to parse public_key as SSH key: /],
  },
  {
    name: 'a body that is no JSON',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: { body: '{bad json' },
    status: 400,
    errors: [/^failed to decode JSON input/],
  },
  {
    name: 'a signature by GET',
    method: 'GET',
    path: 'ssh/sign/agt',
    status: 405,
    errors: ['1 error occurred:\n\t* unsupported operation\n\n'],
  },
  {
    name: 'a path that the engine does not know',
    method: 'GET',
    path: 'ssh/nothing',
    status: 404,
    errors: ['1 error occurred:\n\t* unsupported path\n\n'],
  },
  {
    name: 'a role that refuses much',
    method: 'POST',
    path: 'ssh/roles/strict',
    more: {
      body: {
        key_type: 'ca',
        allow_user_certificates: true,
        allowed_users: 'ok',
        default_extensions: { 'permit-pty': '' },
        allowed_extensions: 'permit-pty',
        allowed_critical_options: 'force-command',
        max_ttl: '1h',
      },
    },
    status: 204,
  },
  {
    name: 'a key id that the role refuses',
    method: 'POST',
    path: 'ssh/sign/strict',
    more: sign({ valid_principals: 'ok', key_id: 'z' }),
    status: 400,
    errors: ['setting key_id is not allowed by role'],
  },
  {
    name: 'a principal that the role refuses',
    method: 'POST',
    path: 'ssh/sign/strict',
    more: sign({ valid_principals: 'bad' }),
    status: 400,
    errors: ['bad is not a valid value for valid_principals'],
  },
  {
    name: 'a critical option that the role refuses',
    method: 'POST',
    path: 'ssh/sign/strict',
    more: sign({ valid_principals: 'ok', critical_options: { 'source-address': '10.0.0.0/8' } }),
    status: 400,
    errors: ['critical options not on allowed list: [source-address]'],
  },
  {
    name: 'an extension that the role refuses',
    method: 'POST',
    path: 'ssh/sign/strict',
    more: sign({ valid_principals: 'ok', extensions: { 'permit-X11-forwarding': '' } }),
    status: 400,
    errors: ['extensions [permit-X11-forwarding] are not on allowed list'],
  },
  {
    name: 'a role for no principals',
    method: 'POST',
    path: 'ssh/roles/empty',
    more: { body: { ...ROLE, allowed_users: '' } },
    status: 204,
  },
  {
    name: 'a signature of a role for no principals',
    method: 'POST',
    path: 'ssh/sign/empty',
    more: sign({ valid_principals: 'a' }),
    status: 400,
    errors: ['role is not configured to allow any principals'],
  },
  {
    name: 'a role for rsa keys alone',
    method: 'POST',
    path: 'ssh/roles/rsa',
    more: { body: { ...ROLE, allowed_user_key_lengths: { rsa: 4096 } } },
    status: 204,
  },
  {
    name: 'an ed25519 key with a role for rsa keys',
    method: 'POST',
    path: 'ssh/sign/rsa',
    more: sign({ valid_principals: 'a' }),
    status: 400,
    errors: ['public_key failed to meet the key requirements: key of type ed25519 is not allowed'],
  },
  {
    name: 'a role with a TTL above its maximum',
    method: 'POST',
    path: 'ssh/roles/odd',
    more: { body: { ...ROLE, ttl: '2h', max_ttl: '1h' } },
    status: 400,
  },
  {
    name: 'a role without a type',
    method: 'POST',
    path: 'ssh/roles/odd',
    more: { body: { key_type: 'otp' } },
    status: 400,
    errors: ['missing default user'],
  },

  {
    name: 'an engine that is not mounted',
    method: 'GET',
    path: 'nowhere/x',
    status: 404,
    errors: ['no handler for route "nowhere/x". route entry not found.'],
  },
  {
    name: 'a signature by an engine that is not mounted',
    method: 'POST',
    path: 'nowhere/sign/agt',
    more: sign({}),
    status: 404,
    errors: ['no handler for route "nowhere/sign/agt". route entry not found.'],
  },
  {
    name: 'a path of sys that is not there',
    method: 'GET',
    path: 'sys/nothing',
    status: 404,
    errors: ['1 error occurred:\n\t* unsupported path\n\n'],
  },
  {
    name: 'a namespace that is not there',
    method: 'GET',
    path: 'ssh/roles/agt',
    more: { headers: { 'x-vault-namespace': 'nope' } },
    status: 404,
    errors: ['namespace not found'],
  },

  { name: 'a value that is not there', method: 'GET', path: 'secret/data/app', status: 404, errors: [] },
  {
    name: 'a value that is written',
    method: 'POST',
    path: 'secret/data/app',
    more: { body: { data: { token: 'synthetic-value' } } },
    status: 200,
  },
  { name: 'a value that is read', method: 'GET', path: 'secret/data/app', status: 200 },
  { name: 'the metadata of a value', method: 'GET', path: 'secret/metadata/app', status: 200 },
  { name: 'values that are listed', method: 'GET', path: 'secret/metadata/?list=true', status: 200 },
  {
    name: 'a write without data',
    method: 'POST',
    path: 'secret/data/app',
    more: { body: {} },
    status: 400,
    errors: ['no data provided'],
  },
  { name: 'a value that is deleted', method: 'DELETE', path: 'secret/data/app', status: 204 },
  { name: 'a value that was deleted', method: 'GET', path: 'secret/data/app', status: 404 },
  {
    name: 'metadata of a value that was never there',
    method: 'GET',
    path: 'secret/metadata/none',
    status: 404,
    errors: [],
  },

  { name: 'a policy that is not there', method: 'GET', path: 'sys/policies/acl/signer', status: 404, errors: [] },
  {
    name: 'a policy without rules',
    method: 'PUT',
    path: 'sys/policies/acl/signer',
    more: { body: { policy: '' } },
    status: 400,
    errors: ["'policy' parameter not supplied or empty"],
  },
  {
    name: 'a policy that is written',
    method: 'PUT',
    path: 'sys/policies/acl/signer',
    more: { body: { policy: 'path "ssh/sign/agt" { capabilities = ["update"] }' } },
    status: 204,
  },
  { name: 'a policy that is read', method: 'GET', path: 'sys/policies/acl/signer', status: 200 },

  {
    name: 'a login method that is not there',
    method: 'GET',
    path: 'sys/auth/approle',
    status: 400,
    errors: ['No auth engine at approle/'],
  },
  {
    name: 'a login method that is enabled',
    method: 'POST',
    path: 'sys/auth/approle',
    more: { body: { type: 'approle' } },
    status: 204,
  },
  { name: 'a login method that is there', method: 'GET', path: 'sys/auth/approle', status: 200 },
  {
    name: 'a login method that is enabled twice',
    method: 'POST',
    path: 'sys/auth/approle',
    more: { body: { type: 'approle' } },
    status: 400,
    errors: ['path is already in use at approle/'],
  },
  { name: 'an AppRole that is not there', method: 'GET', path: 'auth/approle/role/warden', status: 404, errors: [] },
  {
    name: 'the role id of an AppRole that is not there',
    method: 'GET',
    path: 'auth/approle/role/warden/role-id',
    status: 404,
    errors: [],
  },
  {
    name: 'an AppRole that is made',
    method: 'POST',
    path: 'auth/approle/role/warden',
    more: { body: { token_policies: ['signer'], token_ttl: '60s', token_max_ttl: '120s' } },
    status: 204,
  },
  { name: 'the AppRole as it is read back', method: 'GET', path: 'auth/approle/role/warden', status: 200 },
  {
    name: 'its role id',
    method: 'GET',
    path: 'auth/approle/role/warden/role-id',
    status: 200,
    keep: (answer, { vars }) => vars.set('roleId', String(data(answer).role_id)),
  },
  {
    name: 'a secret id',
    method: 'POST',
    path: 'auth/approle/role/warden/secret-id',
    more: { body: {} },
    status: 200,
    keep: (answer, { vars }) => vars.set('secretId', String(data(answer).secret_id)),
  },
  {
    name: 'a login with a strange role id',
    method: 'POST',
    path: 'auth/approle/login',
    more: { token: null, body: { role_id: 'x', secret_id: 'y' } },
    status: 400,
    errors: ['invalid role or secret ID'],
  },
  {
    name: 'a login with a strange secret id',
    method: 'POST',
    path: 'auth/approle/login',
    more: ({ vars }) => ({ token: null, body: { role_id: vars.get('roleId'), secret_id: 'y' } }),
    status: 400,
    errors: ['invalid role or secret ID'],
  },
  {
    name: 'a login without a role id',
    method: 'POST',
    path: 'auth/approle/login',
    more: { token: null, body: {} },
    status: 500,
    errors: ['missing role_id'],
  },
  {
    name: 'a login',
    method: 'POST',
    path: 'auth/approle/login',
    more: ({ vars }) => ({ token: null, body: { role_id: vars.get('roleId'), secret_id: vars.get('secretId') } }),
    status: 200,
    keep: (answer, { vars }) => vars.set('token', String(auth(answer).client_token)),
  },
  {
    name: 'a login at a method that is not there, without a token',
    method: 'POST',
    path: 'auth/nowhere/login',
    more: { token: null, body: { role: 'x' } },
    status: 403,
    errors: ['permission denied'],
  },
  {
    name: 'a login at a method that is not there, with a token',
    method: 'POST',
    path: 'auth/nowhere/login',
    more: { body: { role: 'x' } },
    status: 404,
    errors: ['no handler for route "auth/nowhere/login". route entry not found.'],
  },
  {
    name: 'the token of the login that looks itself up',
    method: 'GET',
    path: 'auth/token/lookup-self',
    more: withToken('token'),
    status: 200,
  },
  {
    name: 'the token of the login that renews itself',
    method: 'POST',
    path: 'auth/token/renew-self',
    more: withToken('token', {}),
    status: 200,
  },
  {
    name: 'the same token after it was renewed',
    method: 'GET',
    path: 'auth/token/lookup-self',
    more: withToken('token'),
    status: 200,
  },
  {
    name: 'a signature that the policy permits',
    method: 'POST',
    path: 'ssh/sign/agt',
    more: ({ publicKey, vars }) => ({
      token: vars.get('token') ?? '',
      body: { public_key: publicKey, valid_principals: 'a' },
    }),
    status: 200,
  },
  {
    name: 'a signature that the policy does not permit',
    method: 'POST',
    path: 'ssh/sign/strict',
    more: withToken('token', {}),
    status: 403,
    errors: [PERMISSION_DENIED],
  },
  {
    name: 'reading where the policy permits signing',
    method: 'GET',
    path: 'ssh/roles/agt',
    more: withToken('token'),
    status: 403,
    errors: [PERMISSION_DENIED],
  },
  {
    name: 'an engine that is not mounted, for a token that may not look',
    method: 'GET',
    path: 'nowhere/x',
    more: withToken('token'),
    status: 403,
    errors: [PERMISSION_DENIED],
  },
  {
    name: 'what a token may do',
    method: 'POST',
    path: 'sys/capabilities-self',
    more: withToken('token', { paths: ['ssh/sign/agt', 'ssh/sign/strict'] }),
    status: 200,
  },
  {
    name: 'an answer that is wrapped',
    method: 'GET',
    path: 'ssh/roles/agt',
    more: { headers: { 'x-vault-wrap-ttl': '60s' } },
    status: 200,
    keep: ({ body }, { vars }) => vars.set('wrap', (body as { wrap_info: { token: string } }).wrap_info.token),
  },
  {
    name: 'unwrapping it with its own token',
    method: 'POST',
    path: 'sys/wrapping/unwrap',
    more: withToken('wrap'),
    status: 200,
  },
  {
    name: 'unwrapping it twice',
    method: 'POST',
    path: 'sys/wrapping/unwrap',
    more: ({ vars }) => ({ body: { token: vars.get('wrap') } }),
    status: 400,
    errors: ['wrapping token is not valid or does not exist'],
  },
  {
    name: 'a token that gives itself back',
    method: 'POST',
    path: 'auth/token/revoke-self',
    more: withToken('token', {}),
    status: 204,
  },
  {
    name: 'a token that gave itself back',
    method: 'GET',
    path: 'auth/token/lookup-self',
    more: withToken('token'),
    status: 403,
    errors: ['permission denied'],
  },

  {
    name: 'JWT before it is configured',
    method: 'POST',
    path: 'sys/auth/jwt',
    more: { body: { type: 'jwt' } },
    status: 204,
  },
  {
    name: 'a JWT login before it is configured',
    method: 'POST',
    path: 'auth/jwt/login',
    more: { token: null, body: { role: 'x', jwt: 'y' } },
    status: 400,
    errors: ['could not load configuration'],
  },

  {
    name: 'a rate limit',
    method: 'POST',
    path: 'sys/quotas/rate-limit/all',
    more: { body: { rate: 0.001, interval: '1h', path: 'ssh/' } },
    status: 204,
  },
  { name: 'the request that uses the limit up', method: 'GET', path: 'ssh/roles/agt', status: 200 },
  { name: 'a request beyond the limit', method: 'GET', path: 'ssh/roles/agt', status: 429 },
  { name: 'health beyond the limit', method: 'GET', path: 'sys/health', more: { token: null }, status: 200 },
];

/** Sealed last, since a dev server with one key is not unsealed again here. */
export const SEALED: readonly ContractCase[] = [
  { name: 'sealing', method: 'PUT', path: 'sys/seal', status: 204 },
  { name: 'the health of a sealed server', method: 'GET', path: 'sys/health', more: { token: null }, status: 503 },
  {
    name: 'reading from a sealed server',
    method: 'GET',
    path: 'ssh/roles/agt',
    status: 503,
    errors: ['Vault is sealed'],
  },
  {
    name: 'a login at a sealed server',
    method: 'POST',
    path: 'auth/approle/login',
    more: { token: null, body: {} },
    status: 503,
    errors: ['Vault is sealed'],
  },
];

/** Runs one case. */
export function ask(api: Api, one: ContractCase, context: CaseContext): Promise<ApiAnswer> {
  const path = typeof one.path === 'function' ? one.path(context) : one.path;
  const more = typeof one.more === 'function' ? one.more(context) : one.more;
  return api.call(one.method, path, more);
}

/** Fields whose value is of the moment; that they are there, and of which type, is the contract. */
const OF_THE_MOMENT =
  /^(request_id|accessor|client_token|id|serial_number|signed_key|public_key|issuer_id|.*_time|modified|last_renewal|.*_time_utc|entity_id|role_id|secret_id|secret_id_accessor|uuid|cluster_name|cluster_id|version|running_plugin_version|ttl|token|expire_time|creation_ttl)$/;

/** An answer without what is of the moment: what must be the same from both. */
export function shapeOf(value: unknown, key = ''): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((inner) => shapeOf(inner));
  if (typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, inner]) => [name, shapeOf(inner, name)]),
    );
  }
  if (OF_THE_MOMENT.test(key)) return value === '' ? 'empty' : typeof value;
  // A public key stands in a plain-text answer.
  if (key === '' && typeof value === 'string' && value.startsWith('ssh-ed25519 ')) return 'ssh-ed25519 …';
  if (typeof value === 'string')
    return value.replace(/^(failed to parse public_key as SSH key|failed to decode JSON input).*$/s, '$1');
  return value;
}
