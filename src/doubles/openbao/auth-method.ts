import {
  type DoubleRequest,
  envelope,
  NO_CONTENT,
  NOTHING,
  names,
  type Reply,
  randomId,
  seconds,
  UNSUPPORTED_OPERATION,
  UNSUPPORTED_PATH,
} from './reply.ts';
import type { DoubleTokens } from './tokens.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface AuthMethod {
  readonly type: string;
  handle(request: DoubleRequest, path: string): Promise<Reply>;
}

/** A method with one configuration and roles by name, which a login names. */
export abstract class RoledMethod implements AuthMethod {
  abstract readonly type: string;
  protected readonly tokens: DoubleTokens;
  protected readonly roles = new Map<string, Body>();
  protected config: Body | null = null;

  constructor(tokens: DoubleTokens) {
    this.tokens = tokens;
  }

  async handle({ method, body }: DoubleRequest, path: string): Promise<Reply> {
    if (path === 'login') return method === 'POST' ? await this.login(body) : UNSUPPORTED_OPERATION;
    if (path === 'config') {
      if (method !== 'POST') return this.config === null ? NOTHING : envelope(this.shownConfig(this.config));
      this.config = body;
      return NO_CONTENT;
    }
    const [head = '', name = ''] = path.split('/');
    if (head !== 'role' || name === '') return UNSUPPORTED_PATH;
    if (method === 'POST') {
      const refusal = this.refusedRole(body);
      if (refusal === null) this.roles.set(name, body);
      return refusal ?? NO_CONTENT;
    }
    const role = this.roles.get(name);
    return role === undefined ? NOTHING : envelope(this.shownRole(role));
  }

  protected abstract login(body: Body): Promise<Reply>;

  /** Why such a role is not kept; null: it is. */
  protected refusedRole(_role: Body): Reply | null {
    return null;
  }

  protected shownConfig(config: Body): unknown {
    return config;
  }

  protected shownRole(role: Body): unknown {
    return role;
  }
}

/** A token for who passed, as the role says. */
export function granted(
  tokens: DoubleTokens,
  role: Body,
  { displayName, meta, mount }: { displayName: string; meta: Readonly<Record<string, string>>; mount: string },
): Reply {
  const token = tokens.create({
    policies: names(role.token_policies),
    ttl: seconds(role.token_ttl) || 2_764_800,
    maxTtl: seconds(role.token_max_ttl),
    path: `auth/${mount}/login`,
    displayName,
    meta,
    id: randomId(),
  });
  return envelope(null, { auth: tokens.auth(token) });
}
