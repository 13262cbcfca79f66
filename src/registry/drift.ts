import type { Finding } from '../inventory/finding.ts';
import {
  type CertificateResource,
  isCertificateResource,
  type RegistrySnapshot,
  type RegistrySubject,
} from '../policy/registry-snapshot.ts';
import { routeDrift } from './route-drift.ts';
import { buildRegistry, type RegistryInput } from './snapshot.ts';

const MEND = 'hand the registry over again: warden registry build';
const MEND_ROUTES = 'hand the registry over again: warden registry build --routes';

/** What a registry is held against. Without `routes` those of the registry are left alone. */
export interface DriftInput extends RegistryInput {
  /** True where `policy.gate` lists fetch or exec: a registry without routes is then behind. */
  readonly routesDue?: boolean;
}

/** How a registry differs from the one that the inventory (and the catalogue) would give, in words; empty where it does not. */
export function registryDrift(registry: RegistrySnapshot, input: DriftInput): Finding[] {
  const wanted = buildRegistry(input);
  const findings: Finding[] = [];
  const add = (rule: string, about: string, message: string): void => {
    findings.push({ severity: 'error', rule, about, message, mend: MEND });
  };
  for (const key of ['tenant', 'system'] as const) {
    if (registry[key] === wanted[key]) continue;
    add(`registry_${key}_differs`, '', `the registry is for ${key} ${registry[key]}, warden.yaml says ${wanted[key]}`);
  }

  const have = new Map(registry.resources.filter(isCertificateResource).map((entry) => [entry.id, entry]));
  for (const resource of wanted.resources.filter(isCertificateResource)) {
    const actor = actorOf(resource.id);
    const registered = have.get(resource.id);
    have.delete(resource.id);
    if (registered === undefined) {
      add('registry_actor_missing', actor, `actor ${actor} is in the inventory and not in the registry`);
      continue;
    }
    for (const [rule, message] of differences(registered, resource, registry.tenant, wanted.tenant)) {
      add(rule, actor, `actor ${actor}: ${message}`);
    }
  }
  for (const id of have.keys()) {
    add('registry_actor_extra', actorOf(id), `actor ${actorOf(id)} is in the registry and not in the inventory`);
  }

  const keyOf = (subject: RegistrySubject, tenant: string) =>
    `${subject.id} (${subject.type}, ${subject.tenant ?? tenant})`;
  const haveSubjects = new Set(registry.subjects.map((subject) => keyOf(subject, registry.tenant)));
  const wantedSubjects = new Set(wanted.subjects.map((subject) => keyOf(subject, wanted.tenant)));
  for (const key of wantedSubjects) {
    if (!haveSubjects.has(key)) add('registry_subject_missing', key, `subject ${key} is not in the registry`);
  }
  for (const key of haveSubjects) {
    if (!wantedSubjects.has(key))
      add('registry_subject_extra', key, `subject ${key} is in the registry, and no actor allows it`);
  }
  if (input.routes !== undefined) {
    for (const [rule, about, message] of routeDrift(registry, wanted, input.routesDue ?? false)) {
      findings.push({ severity: 'error', rule, about, message, mend: MEND_ROUTES });
    }
  }
  return findings;
}

function differences(
  have: CertificateResource,
  want: CertificateResource,
  haveTenant: string,
  wantTenant: string,
): [rule: string, message: string][] {
  const found: [string, string][] = [];
  const [a, b] = [have.attributes, want.attributes];
  const tenants = [have.tenant ?? haveTenant, want.tenant ?? wantTenant] as const;
  // The registry's own tenant was compared once, for the whole.
  if (tenants[0] !== tenants[1] && (have.tenant !== undefined || want.tenant !== undefined)) {
    found.push([
      'registry_actor_tenant_differs',
      `tenant ${tenants[0]} in the registry, ${tenants[1]} in the inventory`,
    ]);
  }
  if (a.actor_type !== b.actor_type) {
    found.push(['registry_type_differs', `type ${a.actor_type} in the registry, ${b.actor_type} in the inventory`]);
  }
  if (!sameSet(a.principals, b.principals)) {
    found.push([
      'registry_principals_differ',
      `principals ${list(a.principals)} in the registry, ${list(b.principals)} in the inventory`,
    ]);
  }
  if (a.max_ttl_hours !== b.max_ttl_hours) {
    found.push([
      'registry_max_ttl_differs',
      `max_ttl_hours ${a.max_ttl_hours} in the registry, ${b.max_ttl_hours} in the inventory`,
    ]);
  }
  if (!sameSet(a.allowed_subjects, b.allowed_subjects)) {
    found.push([
      'registry_allowed_subjects_differ',
      `allowed_subjects ${list(a.allowed_subjects)} in the registry, ${list(b.allowed_subjects)} in the inventory`,
    ]);
  }
  return found;
}

function actorOf(resourceId: string): string {
  return resourceId.replace(/^ssh-cert:actor\//, '');
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && [...left].every((item) => right.has(item));
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '(none)' : [...items].sort().join(', ');
}
