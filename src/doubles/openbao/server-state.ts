import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { CertificateAuthority } from '../../signing/certificate-authority.ts';
import { capabilitiesOf, type Rule } from './acl.ts';
import type { AuthMethod } from './auth-method.ts';
import { AppRoleMethod, JwtMethod } from './auth-methods.ts';
import { KubernetesMethod } from './kubernetes-method.ts';
import { KvEngine } from './kv-engine.ts';
import { randomId } from './reply.ts';
import { SshEngine } from './ssh-engine.ts';
import { DoubleTokens } from './tokens.ts';

export interface DoubleOptions {
  readonly clock?: Clock;
  /** The root token; default: a new one. */
  readonly rootToken?: string;
  /** Signs for the SSH engine at `ssh`; absent: no engine is mounted there. */
  readonly authority?: CertificateAuthority;
}

export interface Mount {
  readonly type: 'ssh' | 'kv';
  readonly accessor: string;
  readonly uuid: string;
  readonly options: Readonly<Record<string, string>>;
  readonly engine: SshEngine | KvEngine;
}

interface Wrapped {
  readonly body: unknown;
  readonly until: number;
}

/** Everything that the double knows, in memory. */
export class ServerState {
  readonly clock: Clock;
  readonly rootToken: string;
  readonly tokens: DoubleTokens;
  readonly mounts = new Map<string, Mount>();
  readonly auths = new Map<string, { readonly method: AuthMethod; readonly accessor: string; readonly uuid: string }>();
  readonly policies = new Map<
    string,
    { readonly text: string; readonly rules: readonly Rule[]; readonly modifiedAt: number; readonly version: number }
  >();
  readonly wrapped = new Map<string, Wrapped>();
  sealed = false;
  initialised = true;
  standby = false;
  /** Requests a second below a path; null: no limit. */
  limit: { readonly path: string; readonly rate: number } | null = null;
  rate = { second: 0, count: 0 };

  constructor({ clock = systemClock, rootToken = randomId(), authority }: DoubleOptions) {
    this.clock = clock;
    this.rootToken = rootToken;
    this.tokens = new DoubleTokens(clock);
    this.tokens.create({ policies: ['root'], ttl: 0, path: 'auth/token/create', displayName: 'token', id: rootToken });
    this.mount('secret', 'kv', { version: '2' });
    if (authority !== undefined) this.mount('ssh', 'ssh', {}, authority);
  }

  mount(
    path: string,
    type: Mount['type'],
    options: Readonly<Record<string, string>>,
    authority: CertificateAuthority | null = null,
  ): void {
    const engine = type === 'ssh' ? new SshEngine(this.clock, authority) : new KvEngine(this.clock);
    this.mounts.set(path, { type, accessor: randomId(), uuid: randomUUID(), options, engine });
  }

  enable(path: string, type: 'approle' | 'jwt' | 'kubernetes'): void {
    const methods = { approle: AppRoleMethod, jwt: JwtMethod, kubernetes: KubernetesMethod };
    const method = new methods[type](this.tokens);
    this.auths.set(path, { method, accessor: randomId(), uuid: randomUUID() });
  }

  capabilities(path: string, policies: readonly string[]): readonly string[] {
    const rules = new Map([...this.policies].map(([name, policy]) => [name, policy.rules]));
    return capabilitiesOf(path, policies, rules);
  }
}
