import { errors, importSPKI, type JWTPayload, jwtVerify } from 'jose';
import { type Body, granted, RoledMethod } from './auth-method.ts';
import { failed, names, type Reply, seconds, text } from './reply.ts';

/**
 * Service accounts of Kubernetes. Where OpenBao asks the cluster about a token, the double has its word alone: the
 * signature by one of `pem_keys`, and the claims.
 */
export class KubernetesMethod extends RoledMethod {
  readonly type = 'kubernetes';

  protected async login(body: Body): Promise<Reply> {
    if (text(body.jwt) === '') return failed(400, 'missing jwt');
    if (text(body.role) === '') return failed(400, 'missing role');
    const role = this.roles.get(text(body.role));
    if (role === undefined) return failed(400, `invalid role name "${text(body.role)}"`);
    if (this.config === null) return failed(500, 'could not load backend configuration');
    const claims = await verified(text(body.jwt), names(this.config.pem_keys), text(role.audience));
    if (typeof claims === 'string') return failed(403, claims);
    const { namespace, name, uid } = accountOf(claims);
    if (!permits(role.bound_service_account_namespaces, namespace)) return failed(403, 'namespace not authorized');
    if (!permits(role.bound_service_account_names, name)) return failed(403, 'service account name not authorized');
    return granted(this.tokens, role, {
      displayName: `kubernetes-${namespace}-${name}`,
      meta: {
        role: text(body.role),
        service_account_name: name,
        service_account_namespace: namespace,
        service_account_secret_name: '',
        service_account_uid: uid,
      },
      mount: 'kubernetes',
    });
  }

  protected override refusedRole(role: Body): Reply | null {
    const empty = ['bound_service_account_names', 'bound_service_account_namespaces'].find(
      (key) => names(role[key]).length === 0,
    );
    return empty === undefined ? null : failed(400, `"${empty}" can not be empty`);
  }

  protected override shownConfig(config: Body): unknown {
    return shownConfig(config);
  }

  protected override shownRole(role: Body): unknown {
    return shownRole(role);
  }
}

/** The claims, or what OpenBao says instead. */
async function verified(jwt: string, keys: readonly string[], audience: string): Promise<JWTPayload | string> {
  for (const pem of keys) {
    try {
      const options = audience === '' ? {} : { audience };
      return (await jwtVerify(jwt, await importSPKI(pem, 'ES256'), options)).payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'invalid expiration time (exp) claim: token is expired';
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
        return 'invalid audience (aud) claim: audience claim does not match any expected audience';
      }
      // Not by this key.
    }
  }
  return 'permission denied';
}

function accountOf(claims: JWTPayload): { namespace: string; name: string; uid: string } {
  const inside = (claims['kubernetes.io'] ?? {}) as { namespace?: unknown; serviceaccount?: Body };
  const { name, uid } = inside.serviceaccount ?? {};
  return { namespace: text(inside.namespace), name: text(name), uid: text(uid) };
}

function permits(bound: unknown, value: string): boolean {
  const allowed = names(bound);
  return allowed.includes('*') || allowed.includes(value);
}

function shownConfig(body: Body): unknown {
  return {
    disable_iss_validation: body.disable_iss_validation !== false,
    disable_local_ca_jwt: body.disable_local_ca_jwt === true,
    issuer: text(body.issuer),
    kubernetes_ca_cert: text(body.kubernetes_ca_cert),
    kubernetes_host: text(body.kubernetes_host),
    pem_keys: names(body.pem_keys),
    token_reviewer_jwt_set: text(body.token_reviewer_jwt) !== '',
  };
}

function shownRole(body: Body): unknown {
  return {
    alias_name_source: text(body.alias_name_source) || 'serviceaccount_uid',
    ...(text(body.audience) === '' ? {} : { audience: text(body.audience) }),
    bound_service_account_names: names(body.bound_service_account_names),
    bound_service_account_namespace_selector: '',
    bound_service_account_namespaces: names(body.bound_service_account_namespaces),
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
