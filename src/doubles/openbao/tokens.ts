import { randomUUID } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { BAD_TOKEN, envelope, failed, NO_CONTENT, type Reply, randomId, seconds, synthetic } from './reply.ts';

export interface DoubleToken {
  readonly id: string;
  readonly accessor: string;
  readonly policies: readonly string[];
  readonly displayName: string;
  readonly path: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly orphan: boolean;
  readonly renewable: boolean;
  readonly entity: string;
  /** Seconds. 0: without end. */
  readonly ttl: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Null: never. */
  readonly lastAt: number | null;
  expiresAt: number | null;
  renewedAt: number | null;
}

export interface TokenWish {
  readonly policies: readonly string[];
  readonly ttl: number;
  /** Seconds; 0: as long as it is renewed. */
  readonly maxTtl?: number;
  readonly renewable?: boolean;
  readonly path: string;
  readonly displayName: string;
  readonly meta?: Readonly<Record<string, string>> | null;
  readonly orphan?: boolean;
  readonly id?: string;
}

/** The token store: tokens that lapse by the clock given. */
export class DoubleTokens {
  readonly #all = new Map<string, DoubleToken>();
  readonly #clock: Pick<Clock, 'now'>;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  create(wish: TokenWish): DoubleToken {
    const now = this.#clock.now();
    const { ttl, maxTtl = 0, policies } = wish;
    const all = wish.policies.includes('root') ? ['root'] : [...new Set(['default', ...policies])].sort();
    const token: DoubleToken = {
      id: wish.id ?? randomId(),
      accessor: randomId(),
      policies: all,
      displayName: wish.displayName,
      path: wish.path,
      meta: wish.meta ?? null,
      orphan: wish.orphan ?? true,
      renewable: (wish.renewable ?? true) && ttl > 0,
      entity: wish.path.endsWith('/login') ? synthetic(randomUUID()) : '',
      ttl,
      createdAt: now,
      lastAt: maxTtl > 0 ? now + maxTtl * 1000 : null,
      expiresAt: ttl > 0 ? now + ttl * 1000 : null,
      renewedAt: null,
    };
    this.#all.set(token.id, token);
    return token;
  }

  find(id: string): DoubleToken | null {
    const token = this.#all.get(id);
    if (token === undefined) return null;
    if (token.expiresAt === null || this.#clock.now() < token.expiresAt) return token;
    this.#all.delete(id);
    return null;
  }

  /** Every token that was given out and not revoked. */
  list(): string[] {
    return [...this.#all.keys()];
  }

  revoke(id: string): void {
    this.#all.delete(id);
  }

  /** What `auth` holds after a login, a creation or a renewal. */
  auth(token: DoubleToken): unknown {
    return {
      client_token: token.id,
      accessor: token.accessor,
      policies: token.policies,
      token_policies: token.policies,
      metadata: token.meta,
      lease_duration: token.expiresAt === null ? 0 : Math.round((token.expiresAt - this.#clock.now()) / 1000),
      renewable: token.renewable,
      entity_id: token.entity,
      token_type: 'service',
      orphan: token.orphan,
      mfa_requirement: null,
      num_uses: 0,
    };
  }

  handle(path: string, body: Readonly<Record<string, unknown>>, token: DoubleToken): Reply | null {
    switch (path) {
      case 'lookup-self':
        return envelope(this.#lookup(token));
      case 'revoke-self':
        this.revoke(token.id);
        return NO_CONTENT;
      case 'renew-self': {
        if (!token.renewable) return failed(400, 'lease is not renewable');
        const now = this.#clock.now();
        token.expiresAt = Math.min(now + token.ttl * 1000, token.lastAt ?? Infinity);
        token.renewedAt = now;
        return envelope(null, { auth: this.auth(token) });
      }
      case 'create': {
        const policies = Array.isArray(body.policies) ? body.policies.map(String) : token.policies;
        const made = this.create({
          policies,
          ttl: seconds(body.ttl),
          maxTtl: seconds(body.explicit_max_ttl),
          renewable: body.renewable !== false,
          path: 'auth/token/create',
          displayName: 'token',
          orphan: body.no_parent === true,
        });
        return envelope(null, { auth: this.auth(made) });
      }
      case 'revoke': {
        if (typeof body.token !== 'string') return failed(400, 'missing token ID');
        this.revoke(body.token);
        return NO_CONTENT;
      }
      case 'lookup': {
        const found = typeof body.token === 'string' ? this.find(body.token) : token;
        return found === null ? BAD_TOKEN : envelope(this.#lookup(found));
      }
    }
    return null;
  }

  #lookup(token: DoubleToken): unknown {
    const iso = (ms: number): string => new Date(ms).toISOString();
    return {
      accessor: token.accessor,
      creation_time: Math.floor(token.createdAt / 1000),
      creation_ttl: token.ttl,
      display_name: token.displayName,
      entity_id: token.entity,
      expire_time: token.expiresAt === null ? null : iso(token.expiresAt),
      explicit_max_ttl: 0,
      id: token.id,
      issue_time: iso(token.createdAt),
      ...(token.renewedAt === null
        ? {}
        : { last_renewal: iso(token.renewedAt), last_renewal_time: Math.floor(token.renewedAt / 1000) }),
      meta: token.meta,
      num_uses: 0,
      orphan: token.orphan,
      path: token.path,
      policies: token.policies,
      renewable: token.renewable,
      ttl: token.expiresAt === null ? 0 : Math.floor((token.expiresAt - this.#clock.now()) / 1000),
      type: 'service',
    };
  }
}
