import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { hoursToMicroseconds, maturityLevel } from './policy-question.ts';
import {
  type CertificateResource,
  certificateResourceId,
  isCertificateResource,
  isSecretRouteResource,
  type RegistrySnapshot,
  type SecretRouteResource,
} from './registry-snapshot.ts';

/** A registry, ready to be asked: each subject and resource as the Cedar entity that the rules see. */
export interface RegistryIndex {
  /** @returns undefined where the registry does not list it: the entity then has no attributes */
  subject(id: string): EntityJson | undefined;
  resource(id: string): EntityJson | undefined;
}

export function indexRegistry(registry: RegistrySnapshot): RegistryIndex {
  const subjects = new Map<string, EntityJson>();
  for (const [id, entries] of groupById(registry.subjects)) {
    const registrations = entries.map((entry) => ({ type: entry.type, tenant: entry.tenant ?? registry.tenant }));
    const tenants = registrations.map((registration) => registration.tenant);
    subjects.set(id, { uid: subjectUid(id), attrs: { registrations, tenants }, parents: [] });
  }
  const resources = new Map<string, EntityJson>();
  const certificates = new Map(registry.resources.filter(isCertificateResource).map((entry) => [entry.id, entry]));
  for (const resource of certificates.values()) {
    const attrs = { registered: attributesOf(resource, registry) };
    resources.set(resource.id, { uid: resourceUid(resource.id), attrs, parents: [] });
  }
  for (const resource of registry.resources.filter(isSecretRouteResource)) {
    const attrs = { route: routeAttributesOf(resource, registry, certificates) };
    resources.set(resource.id, { uid: resourceUid(resource.id), attrs, parents: [] });
  }
  return { subject: (id) => subjects.get(id), resource: (id) => resources.get(id) };
}

export const subjectUid = (id: string) => ({ type: 'Subject', id });
export const resourceUid = (id: string) => ({ type: 'Resource', id });

function attributesOf(resource: CertificateResource, registry: RegistrySnapshot) {
  return {
    type: resource.type,
    system: registry.system,
    tenant: resource.tenant ?? registry.tenant,
    actor_type: resource.attributes.actor_type,
    principals: [...resource.attributes.principals],
    max_ttl_microseconds: hoursToMicroseconds(resource.attributes.max_ttl_hours),
    allowed_subjects: resource.attributes.allowed_subjects.map((id) => ({ __entity: subjectUid(id) })),
  };
}

/** An actor that the registry does not hold admits nobody to the route. */
function routeAttributesOf(
  { type, attributes }: SecretRouteResource,
  registry: RegistrySnapshot,
  certificates: ReadonlyMap<string, CertificateResource>,
) {
  const actors = attributes.actors
    .map((name) => certificates.get(certificateResourceId(name)))
    .filter((actor) => actor !== undefined);
  const tenantOf = (actor: CertificateResource): string => actor.tenant ?? registry.tenant;
  return {
    type,
    system: registry.system,
    tenants: [...new Set(actors.map(tenantOf))],
    admitted: actors.flatMap((actor) =>
      actor.attributes.allowed_subjects.map((id) => ({
        subject: { __entity: subjectUid(id) },
        type: actor.attributes.actor_type,
        tenant: tenantOf(actor),
      })),
    ),
    actions: [...attributes.actions],
    required_maturity: maturityLevel(attributes.required_maturity),
    data_class: attributes.data_class,
  };
}

function groupById<T extends { readonly id: string }>(entries: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const group = groups.get(entry.id);
    if (group === undefined) groups.set(entry.id, [entry]);
    else group.push(entry);
  }
  return groups;
}
