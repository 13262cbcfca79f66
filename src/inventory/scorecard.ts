import { ACTOR_TYPES, type Actor, type ActorType } from './actor.ts';
import type { CheckReport, Finding } from './finding.ts';
import { ACTOR_NAME, PRINCIPAL } from './names.ts';
import { secondsToHours } from './ttl-rules.ts';

export interface ScorecardInput {
  readonly actors: readonly Actor[];
  /** `ttl_ceilings_hours`, in seconds. */
  readonly ceilingsSeconds: Readonly<Record<ActorType, number>>;
  /** Names that the ledger holds a release for; null: no ledger was given, and nothing is said of it. */
  readonly usedActors: ReadonlySet<string> | null;
  /** What `registryDrift` found; null: no registry was given. */
  readonly drift: readonly Finding[] | null;
}

/**
 * `warden inventory scorecard`: weak places of an inventory that loads. Pure and offline. Exit 0 without
 * findings, 1 with; an inventory that does not load is exit 2, and does not come this far.
 */
export function scorecard(input: ScorecardInput): CheckReport {
  const actors = [...input.actors].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const findings = [
    ...actors.flatMap((actor) => [
      ...nameFindings(actor),
      ...ttlFindings(actor, input.ceilingsSeconds[actor.type]),
      ...callerFindings(actor),
      ...forwardingFindings(actor),
      ...usageFindings(actor, input.usedActors),
    ]),
    ...sharedPrincipals(actors),
    ...(input.drift ?? []),
  ];
  return { exit: findings.length === 0 ? 0 : 1, findings };
}

function nameFindings(actor: Actor): Finding[] {
  const findings: Finding[] = [];
  if (!ACTOR_NAME.test(actor.name) || !actor.name.startsWith(`${actor.type}-`)) {
    findings.push({
      severity: 'error',
      rule: 'actor_name',
      about: actor.name,
      message: `actor ${actor.name} is not named ${actor.type}-… in lower-case letters, digits, dots, dashes and underscores`,
      mend: `rename it, such as ${actor.type}-example`,
    });
  }
  for (const principal of actor.principals) {
    // A principal that bears another type's prefix reads, in sshd's log, as somebody else.
    const worn = ACTOR_TYPES.find((type) => principal.startsWith(`${type}-`));
    if (worn !== undefined && worn !== actor.type) {
      findings.push({
        severity: 'warning',
        rule: 'principal_named_for_another_type',
        about: actor.name,
        message: `actor ${actor.name} of type ${actor.type} has the principal ${principal}, which is named for type ${worn}`,
        mend: 'give it a principal of its own type on the hosts',
      });
    }
    if (!PRINCIPAL.test(principal)) {
      findings.push({
        severity: 'error',
        rule: 'principal_name',
        about: actor.name,
        message: `actor ${actor.name} has a principal that is not printable ASCII without comma and space`,
        mend: 'rename the principal, on the hosts too',
      });
    }
  }
  return findings;
}

function ttlFindings(actor: Actor, ceiling: number): Finding[] {
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], rule: string, message: string, mend: string): void => {
    findings.push({ severity, rule, about: actor.name, message: `actor ${actor.name}: ${message}`, mend });
  };
  const [ttl, max, top] = [actor.ttlSeconds, actor.maxTtlSeconds, ceiling].map(secondsToHours);
  if (actor.maxTtlSeconds > ceiling) {
    add(
      'error',
      'max_ttl_above_ceiling',
      `max_ttl_hours ${max} is above the ceiling of ${top} h for ${actor.type}`,
      `max_ttl_hours: ${top}`,
    );
  }
  if (actor.ttlSeconds > actor.maxTtlSeconds) {
    add('error', 'ttl_above_max', `ttl_hours ${ttl} is above max_ttl_hours ${max}`, `ttl_hours: ${max}`);
  }
  if (actor.type !== 'adm' && actor.ttlSeconds === ceiling && actor.maxTtlSeconds === ceiling) {
    add(
      'warning',
      'ttl_at_ceiling',
      `every certificate lasts the whole ceiling of ${top} h by default`,
      'a ttl_hours that its work needs',
    );
  }
  return findings;
}

function callerFindings(actor: Actor): Finding[] {
  if (actor.callers === null) {
    return [
      {
        severity: 'warning',
        rule: 'actor_without_callers',
        about: actor.name,
        message: `actor ${actor.name} has no callers: every program of the daemon's own uid may ask for it`,
        mend: 'callers: [{ user: …, exe: … }] or [{ user: …, unit: … }]',
      },
    ];
  }
  if (actor.callers.length > 0) return [];
  return [
    {
      severity: 'warning',
      rule: 'actor_without_any_caller',
      about: actor.name,
      message: `actor ${actor.name} has an empty list of callers: nobody can ask for it`,
      mend: 'name a caller, or remove the actor',
    },
  ];
}

function forwardingFindings(actor: Actor): Finding[] {
  const forwarding = actor.options.extensions.filter((extension) => extension.endsWith('-forwarding'));
  if (forwarding.length === 0 || actor.options.sourceAddress !== null) return [];
  return [
    {
      severity: 'warning',
      rule: 'forwarding_without_source_address',
      about: actor.name,
      message: `actor ${actor.name} may forward (${forwarding.join(', ')}) from any address`,
      mend: 'options: { source-address: 10.0.0.0/8 }, or extensions without forwarding',
    },
  ];
}

function usageFindings(actor: Actor, used: ReadonlySet<string> | null): Finding[] {
  if (used === null || used.has(actor.name)) return [];
  return [
    {
      severity: 'warning',
      rule: 'actor_unused',
      about: actor.name,
      message: `actor ${actor.name} does not appear in the ledger: nothing was ever released to it`,
      mend: 'remove it where nobody needs it',
    },
  ];
}

/** A principal that a person and a program share lets the one in wherever the other may be. */
function sharedPrincipals(actors: readonly Actor[]): Finding[] {
  const holders = new Map<string, Actor[]>();
  for (const actor of actors) {
    for (const principal of new Set(actor.principals)) {
      const group = holders.get(principal);
      if (group === undefined) holders.set(principal, [actor]);
      else group.push(actor);
    }
  }
  return [...holders]
    .filter(([, group]) => new Set(group.map((actor) => actor.type)).size > 1)
    .map(([principal, group]) => ({
      severity: 'error' as const,
      rule: 'principal_shared_across_types',
      about: principal,
      message: `principal ${principal} is shared across types: ${group.map((actor) => actor.name).join(', ')}`,
      mend: 'one principal for each type, and the hosts told of both',
    }));
}
