import type { Route } from '../access/route.ts';
import type { Actor } from '../inventory/actor.ts';
import {
  CERTIFICATE_RESOURCE,
  type CertificateResource,
  certificateResourceId,
  type RegistryResource,
  type RegistrySnapshot,
  type RegistrySubject,
  SECRET_ROUTE_RESOURCE,
  type SecretRouteAttributes,
  type SecretRouteResource,
  secretRouteId,
} from '../policy/registry-snapshot.ts';

/** What of a route its resource is made from. */
export type RegisteredRoute = Pick<Route, 'id' | 'owner' | 'secret' | 'actors' | 'fetchCapable' | 'execCapable'>;

/** What a registry is built from: `policy.tenant` and `policy.system` of warden.yaml, the inventory, the catalogue. */
export interface RegistryInput {
  readonly tenant: string;
  readonly system: string;
  readonly actors: Iterable<Actor>;
  /** Absent: the registry holds the actors alone. */
  readonly routes?: Iterable<RegisteredRoute>;
}

/**
 * The registry of an inventory. Pure: the same inventory, in whatever order, gives the same value. An entry
 * names its tenant only where it is not the registry's, so that a registry of one tenant has the seed's shape.
 */
export function buildRegistry(input: RegistryInput): RegistrySnapshot {
  const subjects = new Map<string, RegistrySubject>();
  const resources: RegistryResource[] = [];
  for (const actor of input.actors) {
    const elsewhere = actor.tenant === input.tenant ? {} : { tenant: actor.tenant };
    for (const id of actor.allowedSubjects) {
      const subject: RegistrySubject = { id, type: actor.type, ...elsewhere };
      subjects.set(JSON.stringify(subject), subject);
    }
    resources.push({
      id: certificateResourceId(actor.name),
      type: CERTIFICATE_RESOURCE,
      ...elsewhere,
      attributes: {
        actor_type: actor.type,
        principals: [...actor.principals],
        max_ttl_hours: actor.maxTtlSeconds / 3600,
        allowed_subjects: [...actor.allowedSubjects],
      },
    });
  }
  for (const route of input.routes ?? []) resources.push(routeResource(route));
  return {
    version: 1,
    tenant: input.tenant,
    system: input.system,
    subjects: [...subjects.values()].sort(compareEntries),
    resources: resources.sort(compareEntries),
  };
}

/** Names, classification and abilities: never where the secret is. */
function routeResource({ id, owner, secret, actors, fetchCapable, execCapable }: RegisteredRoute): SecretRouteResource {
  return {
    id: secretRouteId(id),
    type: SECRET_ROUTE_RESOURCE,
    attributes: {
      owner,
      required_maturity: secret.requiredMaturity,
      data_class: secret.dataClass,
      actors: [...new Set(actors)].sort(compareText),
      actions: [...(fetchCapable ? (['fetch'] as const) : []), ...(execCapable ? (['exec'] as const) : [])],
    },
  };
}

/** The bytes of a registry file: LF, two spaces, newline at the end; nothing in them depends on time or machine. */
export function formatRegistry(registry: RegistrySnapshot): string {
  return `${JSON.stringify(inOrder(registry), null, 2)}\n`;
}

/** The same registry with entries sorted and keys in the order of the contract. */
export function inOrder(registry: RegistrySnapshot): RegistrySnapshot {
  return {
    version: 1,
    tenant: registry.tenant,
    system: registry.system,
    subjects: registry.subjects
      .map(({ id, type, tenant }) => ({ id, type, ...(tenant === undefined ? {} : { tenant }) }))
      .sort(compareEntries),
    resources: registry.resources
      .map(({ id, type, tenant, attributes }) => ({
        id,
        type,
        ...(tenant === undefined ? {} : { tenant }),
        attributes: attributesInOrder(type, attributes),
      }))
      .sort(compareEntries),
  };
}

function attributesInOrder(type: string, attributes: Readonly<Record<string, unknown>> | object) {
  if (type === SECRET_ROUTE_RESOURCE) {
    const { owner, required_maturity, data_class, actors, actions } = attributes as SecretRouteAttributes;
    return { owner, required_maturity, data_class, actors, actions };
  }
  if (type !== CERTIFICATE_RESOURCE) return attributes as Readonly<Record<string, unknown>>;
  const { actor_type, principals, max_ttl_hours, allowed_subjects } = attributes as CertificateResource['attributes'];
  return { actor_type, principals, max_ttl_hours, allowed_subjects };
}

type Entry = { readonly id: string; readonly type: string; readonly tenant?: string };

/** By code unit, never by locale: the order must be the same on every machine. */
function compareEntries(a: Entry, b: Entry): number {
  return compareText(a.id, b.id) || compareText(a.type, b.type) || compareText(a.tenant ?? '', b.tenant ?? '');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
