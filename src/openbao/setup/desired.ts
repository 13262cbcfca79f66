import type { Actor, ActorType, Host } from '../../inventory/actor.ts';
import { WardenError } from '../../kernel/errors.ts';
import type { LoginSettings } from '../settings.ts';

export interface SetupInput {
  readonly ssh: {
    readonly mount: string;
    readonly roles: Readonly<Record<ActorType, string>>;
    /** Null or absent: none signs for hosts. */
    readonly host_role?: string | null;
  };
  readonly login: LoginSettings | null;
  readonly actors: readonly Actor[];
  readonly hosts: readonly Host[];
  readonly ceilingsSeconds: Readonly<Record<ActorType, number>>;
  /** What routes have the daemon read in its own name: paths as policies name them. */
  readonly reads: { readonly paths: readonly string[]; readonly leased: boolean };
  /** Of the policy, and of the AppRole. */
  readonly name: string;
}

type Field = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;
export type Fields = Readonly<Record<string, Field>>;

/** One thing that must be there. Fields that are not named are not ours to say. */
export type Wanted =
  | { readonly kind: 'engine'; readonly mount: string; readonly type: 'ssh' }
  | { readonly kind: 'ca'; readonly mount: string }
  | { readonly kind: 'role'; readonly mount: string; readonly role: string; readonly fields: Fields }
  | { readonly kind: 'policy'; readonly name: string; readonly text: string }
  | { readonly kind: 'login'; readonly mount: string; readonly type: 'approle' }
  | { readonly kind: 'approle'; readonly mount: string; readonly role: string; readonly fields: Fields };

/** What any certificate of ours may hold. Never empty: the engine takes an empty list for "any". */
const CRITICAL_OPTIONS = 'force-command,source-address,verify-required';
/** Where no host says more. */
const HOST_TTL_SECONDS = 3600;
const TOKEN_TTL_SECONDS = 3600;
const TOKEN_MAX_TTL_SECONDS = 86_400;

/**
 * What the daemon needs in OpenBao, and nothing beyond it, in the order in which it is made.
 * @throws WardenError config_invalid where one role would sign for actors and for hosts
 */
export function desiredState(input: SetupInput): Wanted[] {
  const { ssh, login, name } = input;
  const roles = rolesOf(input);
  const hostRole = ssh.host_role ?? null;
  if (roles.some(([role]) => role === hostRole)) {
    throw new WardenError('config_invalid', `openbao.ssh.host_role ${hostRole} is the role of actors too`, {
      hint: 'name a role of its own for hosts: whoever may sign for an actor could sign for a host',
    });
  }
  const wanted: Wanted[] = [
    { kind: 'engine', mount: ssh.mount, type: 'ssh' },
    { kind: 'ca', mount: ssh.mount },
    ...roles.map(([role, actors]): Wanted => {
      return { kind: 'role', mount: ssh.mount, role, fields: roleFields(role, actors, input) };
    }),
    ...(hostRole === null
      ? []
      : [{ kind: 'role', mount: ssh.mount, role: hostRole, fields: hostFields(input.hosts) } as const]),
    {
      kind: 'policy',
      name,
      text: policyText(
        ssh.mount,
        [...roles.map(([role]) => role), ...(hostRole === null ? [] : [hostRole])],
        input.reads,
        hostRole !== null,
      ),
    },
  ];
  // Other methods know things of the outside (issuers, clusters, CAs) that only their operator can say.
  if (login?.method === 'approle') {
    wanted.push({ kind: 'login', mount: login.mount, type: 'approle' });
    wanted.push({ kind: 'approle', mount: login.mount, role: name, fields: appRoleFields(name) });
  }
  return wanted;
}

/** The roles that are asked for, each with the actors that ask for it; a type without actors has its role too. */
function rolesOf({ ssh, actors }: SetupInput): [string, Actor[]][] {
  const roles = new Map<string, Actor[]>(Object.values(ssh.roles).map((role) => [role, []]));
  for (const actor of actors) {
    const role = actor.openbaoRole ?? ssh.roles[actor.type];
    roles.set(role, [...(roles.get(role) ?? []), actor]);
  }
  return [...roles].sort(([a], [b]) => (a < b ? -1 : 1));
}

function roleFields(role: string, actors: readonly Actor[], { ssh, ceilingsSeconds }: SetupInput): Fields {
  const types = (Object.keys(ssh.roles) as ActorType[]).filter((type) => ssh.roles[type] === role);
  const longest = actors.map((actor) => Math.min(actor.maxTtlSeconds, ceilingsSeconds[actor.type]));
  return {
    key_type: 'ca',
    allow_user_certificates: true,
    allow_host_certificates: false,
    // The key id carries actor, request and decision: without it no certificate could be traced.
    allow_user_key_ids: true,
    allow_empty_principals: false,
    allowed_users: union(actors.flatMap((actor) => actor.principals)),
    allowed_users_template: false,
    allowed_critical_options: CRITICAL_OPTIONS,
    allowed_extensions: union(actors.flatMap((actor) => actor.options.extensions)),
    default_critical_options: {},
    default_extensions: {},
    default_user: '',
    max_ttl: longest.length > 0 ? Math.max(...longest) : Math.max(...types.map((type) => ceilingsSeconds[type])),
  };
}

/** Of the hosts that have a certificate; without any it signs for nobody. */
function hostFields(hosts: readonly Host[]): Fields {
  const rules = hosts.flatMap(({ hostCertificate }) => hostCertificate ?? []);
  return {
    key_type: 'ca',
    allow_user_certificates: false,
    allow_host_certificates: true,
    allow_user_key_ids: true,
    allow_empty_principals: false,
    // These names, and none below them.
    allowed_domains: union(rules.flatMap(({ principals }) => principals)),
    allowed_domains_template: false,
    allow_bare_domains: true,
    allow_subdomains: false,
    allowed_critical_options: CRITICAL_OPTIONS,
    allowed_extensions: '',
    default_critical_options: {},
    default_extensions: {},
    max_ttl: Math.max(HOST_TTL_SECONDS, ...rules.map(({ ttlSeconds }) => ttlSeconds)),
  };
}

function appRoleFields(policy: string): Fields {
  return {
    bind_secret_id: true,
    token_policies: [policy],
    token_ttl: TOKEN_TTL_SECONDS,
    token_max_ttl: TOKEN_MAX_TTL_SECONDS,
  };
}

function policyText(
  mount: string,
  roles: readonly string[],
  { paths, leased }: SetupInput['reads'],
  forHosts: boolean,
): string {
  const also = paths.length === 0 ? '' : ' read what its routes lead to,';
  const whom = forHosts ? 'user and host' : 'user';
  const rules = [
    ...roles.map((role) => rule(`${mount}/sign/${role}`, 'update')),
    ...paths.map((path) => rule(path, 'read')),
    // A lease is renewed while it is used, and given back.
    ...(leased ? [rule('sys/leases/renew', 'update'), rule('sys/leases/revoke', 'update')] : []),
  ];
  return `# wardend: sign ${whom} certificates,${also} and nothing else\n${rules.join('')}`;
}

/** Mounts and paths of routes hold no character that a policy would take for a pattern. */
function rule(path: string, capability: 'read' | 'update'): string {
  return `path "${path}" {\n  capabilities = ["${capability}"]\n}\n`;
}

function union(names: readonly string[]): string {
  return [...new Set(names)].sort().join(',');
}
