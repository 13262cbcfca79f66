import { permits } from './acl.ts';
import { KvEngine } from './kv-engine.ts';
import {
  BAD_TOKEN,
  DENIED,
  type DoubleRequest,
  failed,
  noRoute,
  type Reply,
  randomId,
  UNSUPPORTED_PATH,
} from './reply.ts';
import type { ServerState } from './server-state.ts';
import { handleSys, health, overRate } from './sys.ts';

/** One request to the double. In OpenBao's order: seal, namespace, token, policy, engine. */
export async function handle(state: ServerState, request: DoubleRequest): Promise<Reply> {
  const { path } = request;
  if (path === 'sys/health') return health(state);
  if (!state.initialised) return failed(503, 'Vault is sealed');
  if (state.sealed) return failed(503, 'Vault is sealed');
  if (request.namespace !== '' && request.namespace !== 'root') return failed(404, 'namespace not found');
  const limited = overRate(state, path);
  if (limited !== null) return limited;
  const open = await withoutToken(state, request);
  if (open !== null) return open;
  const token = state.tokens.find(request.token);
  if (token === null) {
    // A wrapping token is good for one thing.
    if (path === 'sys/wrapping/unwrap' && state.wrapped.has(request.token))
      return handleSys(state, request, 'wrapping/unwrap');
    return BAD_TOKEN;
  }
  if (!permits(request.method, state.capabilities(path, token.policies))) return DENIED;
  const reply = await route(state, request);
  return request.wrapSeconds > 0 && reply.status === 200 ? wrap(state, request, reply) : reply;
}

/** Logins and public keys need none. */
async function withoutToken(state: ServerState, request: DoubleRequest): Promise<Reply | null> {
  const login = /^auth\/(.+)\/login$/.exec(request.path)?.[1];
  if (login !== undefined) {
    const auth = state.auths.get(login);
    if (auth !== undefined) return await auth.method.handle(request, 'login');
    return request.token === '' || state.tokens.find(request.token) === null ? BAD_TOKEN : noRoute(request.path);
  }
  const key = /^(.+)\/public_key$/.exec(request.path)?.[1];
  return key !== undefined && state.mounts.get(key)?.type === 'ssh' ? await route(state, request) : null;
}

async function route(state: ServerState, request: DoubleRequest): Promise<Reply> {
  const { path } = request;
  if (path.startsWith('sys/')) return handleSys(state, request, path.slice(4));
  if (path.startsWith('auth/token/')) {
    const token = state.tokens.find(request.token);
    const reply = token === null ? BAD_TOKEN : state.tokens.handle(path.slice(11), request.body, token);
    return reply ?? UNSUPPORTED_PATH;
  }
  for (const [mount, { method }] of state.auths) {
    if (path.startsWith(`auth/${mount}/`)) return await method.handle(request, path.slice(6 + mount.length));
  }
  for (const [mount, { engine }] of state.mounts) {
    if (!path.startsWith(`${mount}/`)) continue;
    const rest = path.slice(mount.length + 1);
    return engine instanceof KvEngine ? engine.handle(request, rest) : await engine.handle(request, rest);
  }
  return noRoute(path);
}

function wrap(state: ServerState, { path, wrapSeconds }: DoubleRequest, reply: Reply): Reply {
  const token = randomId();
  const now = state.clock.now();
  state.wrapped.set(token, { body: reply.body, until: now + wrapSeconds * 1000 });
  return {
    status: 200,
    body: {
      request_id: '',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: null,
      wrap_info: {
        token,
        accessor: randomId(),
        ttl: wrapSeconds,
        creation_time: new Date(now).toISOString(),
        creation_path: path,
      },
      warnings: null,
      auth: null,
    },
  };
}
