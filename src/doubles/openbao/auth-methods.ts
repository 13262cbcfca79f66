import { randomUUID } from 'node:crypto';
import { importSPKI, jwtVerify } from 'jose';
import { type AuthMethod, type Body, granted, RoledMethod } from './auth-method.ts';
import {
  type DoubleRequest,
  envelope,
  failed,
  NO_CONTENT,
  NOTHING,
  names,
  type Reply,
  seconds,
  synthetic,
  text,
  UNSUPPORTED_OPERATION,
  UNSUPPORTED_PATH,
} from './reply.ts';
import type { DoubleTokens } from './tokens.ts';

interface AppRole {
  readonly body: Body;
  readonly roleId: string;
  readonly secretIds: Set<string>;
}

/** AppRole: role ids, secret ids, login. */
export class AppRoleMethod implements AuthMethod {
  readonly type = 'approle';
  readonly #roles = new Map<string, AppRole>();
  readonly #tokens: DoubleTokens;

  constructor(tokens: DoubleTokens) {
    this.#tokens = tokens;
  }

  async handle({ method, body }: DoubleRequest, path: string): Promise<Reply> {
    if (path === 'login') return method === 'POST' ? this.#login(body) : UNSUPPORTED_OPERATION;
    const [head = '', name = '', what = ''] = path.split('/');
    if (head !== 'role' || name === '') return UNSUPPORTED_PATH;
    const role = this.#roles.get(name);
    if (what === '') {
      if (method === 'POST') {
        const made = role ?? { roleId: synthetic(randomUUID()), secretIds: new Set<string>() };
        this.#roles.set(name, { ...made, body });
        return NO_CONTENT;
      }
      return role === undefined ? NOTHING : envelope(shownAppRole(role.body));
    }
    if (role === undefined) return what === 'role-id' ? NOTHING : failed(400, `role "${name}" does not exist`);
    if (what === 'role-id' && method === 'GET') return envelope({ role_id: role.roleId });
    if (what === 'secret-id' && method === 'POST') {
      const secretId = synthetic(randomUUID());
      role.secretIds.add(secretId);
      return envelope({
        secret_id: secretId,
        secret_id_accessor: synthetic(randomUUID()),
        secret_id_num_uses: 0,
        secret_id_ttl: 0,
      });
    }
    return UNSUPPORTED_PATH;
  }

  #login(body: Body): Reply {
    if (text(body.role_id) === '') return failed(500, 'missing role_id');
    const found = [...this.#roles].find(([, role]) => role.roleId === body.role_id);
    if (found === undefined || !found[1].secretIds.has(text(body.secret_id))) {
      return failed(400, 'invalid role or secret ID');
    }
    const [name, role] = found;
    return granted(this.#tokens, role.body, { displayName: 'approle', meta: { role_name: name }, mount: 'approle' });
  }
}

/** JWTs, by the keys that the configuration names. */
export class JwtMethod extends RoledMethod {
  readonly type = 'jwt';

  protected async login(body: Body): Promise<Reply> {
    const { config } = this;
    if (config === null) return failed(400, 'could not load configuration');
    const role = this.roles.get(text(body.role));
    if (text(body.role) === '') return failed(400, 'missing role');
    if (role === undefined) return failed(400, `role "${text(body.role)}" could not be found`);
    if (text(body.jwt) === '') return failed(400, 'missing token');
    try {
      const [pem = ''] = names(config.jwt_validation_pubkeys);
      const key = await importSPKI(pem, 'ES256');
      const { payload } = await jwtVerify(text(body.jwt), key, {
        ...(text(config.bound_issuer) === '' ? {} : { issuer: text(config.bound_issuer) }),
        ...(names(role.bound_audiences).length === 0 ? {} : { audience: names(role.bound_audiences) }),
      });
      if (text(role.bound_subject) !== '' && payload.sub !== role.bound_subject) {
        return failed(400, 'error validating token: invalid subject (sub) claim');
      }
      return granted(this.tokens, role, {
        displayName: `jwt-${payload.sub ?? ''}`,
        meta: { role: text(body.role) },
        mount: 'jwt',
      });
    } catch {
      return failed(400, 'error validating token');
    }
  }
}

function shownAppRole(body: Body): unknown {
  return {
    bind_secret_id: body.bind_secret_id !== false,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: seconds(body.secret_id_num_uses),
    secret_id_ttl: seconds(body.secret_id_ttl),
    token_bound_cidrs: [],
    token_explicit_max_ttl: 0,
    token_max_ttl: seconds(body.token_max_ttl),
    token_no_default_policy: body.token_no_default_policy === true,
    token_num_uses: 0,
    token_period: seconds(body.token_period),
    token_policies: names(body.token_policies),
    token_strictly_bind_ip: false,
    token_ttl: seconds(body.token_ttl),
    token_type: text(body.token_type) || 'default',
  };
}
