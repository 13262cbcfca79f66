import { parsePolicy } from './acl.ts';
import {
  type DoubleRequest,
  envelope,
  failed,
  map,
  NO_CONTENT,
  NOTHING,
  type Reply,
  text,
  UNSUPPORTED_OPERATION,
  UNSUPPORTED_PATH,
} from './reply.ts';
import type { ServerState } from './server-state.ts';

const VERSION = '2.7.2';

/** `sys/health`, which answers whatever state the server is in, and says which by its status. */
export function health(state: ServerState): Reply {
  const sealed = state.sealed || !state.initialised;
  const status = !state.initialised ? 501 : state.sealed ? 503 : state.standby ? 429 : 200;
  const body = {
    initialized: state.initialised,
    sealed,
    standby: sealed || state.standby,
    replication_performance_mode: sealed ? 'unknown' : 'disabled',
    replication_dr_mode: sealed ? 'unknown' : 'disabled',
    server_time_utc: Math.floor(state.clock.now() / 1000),
    version: VERSION,
    ...(sealed ? {} : { cluster_name: 'synthetic-cluster', cluster_id: 'synthetic-cluster' }),
  };
  return { status, body };
}

/** `sys/…`, for a token that may. Path without `sys/`. */
export function handleSys(state: ServerState, { method, body, token }: DoubleRequest, path: string): Reply {
  if (path === 'seal') {
    state.sealed = true;
    return NO_CONTENT;
  }
  const [head = '', ...rest] = path.split('/');
  const name = rest.join('/');
  switch (head) {
    case 'mounts':
      return name === '' ? UNSUPPORTED_PATH : mounts(state, method, name, body);
    case 'auth':
      return name === '' ? UNSUPPORTED_PATH : auths(state, method, name, body);
    case 'policies':
      return rest[0] === 'acl' && rest[1] !== undefined ? policy(state, method, rest[1], body) : UNSUPPORTED_PATH;
    case 'capabilities-self': {
      const found = state.tokens.find(token);
      const paths = Array.isArray(body.paths) ? body.paths.map(text) : [];
      const data = Object.fromEntries(paths.map((one) => [one, state.capabilities(one, found?.policies ?? [])]));
      const answer = envelope(data);
      return { ...answer, body: { ...data, ...(answer.body as object) } };
    }
    case 'quotas':
      if (rest[0] !== 'rate-limit' || rest[1] === undefined) return UNSUPPORTED_PATH;
      state.limit = method === 'DELETE' ? null : { path: text(body.path), rate: Number(body.rate ?? 0) };
      return NO_CONTENT;
    case 'wrapping':
      return name === 'unwrap' ? unwrap(state, text(body.token) || token) : UNSUPPORTED_PATH;
  }
  return UNSUPPORTED_PATH;
}

function mounts(
  state: ServerState,
  method: DoubleRequest['method'],
  name: string,
  body: Readonly<Record<string, unknown>>,
): Reply {
  const mount = state.mounts.get(name);
  if (method === 'GET') {
    if (mount === undefined) return failed(400, `No secret engine mount at ${name}/`);
    return described({ ...shared(mount.accessor, mount.uuid, mount.type), options: mount.options });
  }
  if (method === 'DELETE') {
    state.mounts.delete(name);
    return NO_CONTENT;
  }
  if (method !== 'POST') return UNSUPPORTED_OPERATION;
  if (mount !== undefined) return failed(400, `path is already in use at ${name}/`);
  const type = text(body.type);
  if (type !== 'ssh' && type !== 'kv') return failed(400, `plugin not found in the catalog: ${type}`);
  state.mount(name, type, map(body.options));
  return NO_CONTENT;
}

function auths(
  state: ServerState,
  method: DoubleRequest['method'],
  name: string,
  body: Readonly<Record<string, unknown>>,
): Reply {
  const auth = state.auths.get(name);
  if (method === 'GET') {
    if (auth === undefined) return failed(400, `No auth engine at ${name}/`);
    const config = { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0, token_type: 'default-service' };
    return described({ ...shared(auth.accessor, auth.uuid, auth.method.type), config });
  }
  if (method !== 'POST') return UNSUPPORTED_OPERATION;
  if (auth !== undefined) return failed(400, `path is already in use at ${name}/`);
  const type = text(body.type);
  if (type !== 'approle' && type !== 'jwt' && type !== 'kubernetes') {
    return failed(400, `plugin not found in the catalog: ${type}`);
  }
  state.enable(name, type);
  return NO_CONTENT;
}

function shared(accessor: string, uuid: string, type: string) {
  return {
    accessor,
    config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
    deprecation_status: 'supported',
    description: '',
    external_entropy_access: false,
    local: false,
    options: {},
    plugin_version: '',
    running_plugin_version: `v${VERSION}+builtin.bao`,
    running_sha256: '',
    seal_wrap: false,
    type,
    uuid,
  };
}

/** Older paths of `sys` say the same thing twice: in `data`, and beside it. */
function described(data: object): Reply {
  const answer = envelope(data);
  return { ...answer, body: { ...data, ...(answer.body as object) } };
}

function policy(
  state: ServerState,
  method: DoubleRequest['method'],
  name: string,
  body: Readonly<Record<string, unknown>>,
): Reply {
  const found = state.policies.get(name);
  switch (method) {
    case 'GET':
      return found === undefined
        ? NOTHING
        : envelope({
            allow_slashes_in_identity_templates: false,
            allow_wildcards_in_identity_templates: false,
            cas_required: false,
            modified: new Date(found.modifiedAt).toISOString(),
            name,
            policy: found.text,
            version: found.version,
          });
    case 'DELETE':
      state.policies.delete(name);
      return NO_CONTENT;
    case 'LIST':
      return UNSUPPORTED_OPERATION;
    case 'POST': {
      if (text(body.policy) === '') return failed(400, "'policy' parameter not supplied or empty");
      const rules = parsePolicy(text(body.policy));
      if (rules === null) return failed(400, 'failed to parse policy');
      const modifiedAt = state.clock.now();
      const version = (found?.version ?? 0) + 1;
      state.policies.set(name, { text: text(body.policy), rules, modifiedAt, version });
      return NO_CONTENT;
    }
  }
}

function unwrap(state: ServerState, token: string): Reply {
  const wrapped = state.wrapped.get(token);
  state.wrapped.delete(token);
  if (wrapped === undefined || wrapped.until < state.clock.now()) {
    return failed(400, 'wrapping token is not valid or does not exist');
  }
  return { status: 200, body: wrapped.body };
}

/** More than the rate limit permits in this second? Of a rate below one, one request passes. */
export function overRate(state: ServerState, path: string): Reply | null {
  if (state.limit === null || !path.startsWith(state.limit.path)) return null;
  const second = Math.floor(state.clock.now() / 1000);
  if (state.rate.second !== second) state.rate = { second, count: 0 };
  state.rate.count += 1;
  if (state.rate.count <= Math.max(1, state.limit.rate)) return null;
  return { ...failed(429, `request path "${path}": rate limit quota exceeded`), headers: { 'retry-after': '1' } };
}
