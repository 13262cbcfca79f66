import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { hoursToMicroseconds } from './policy-question.ts';
import { type CertificateResource, isCertificateResource, type RegistrySnapshot } from './registry-snapshot.ts';

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
  for (const resource of registry.resources) {
    if (!isCertificateResource(resource)) continue;
    resources.set(resource.id, {
      uid: resourceUid(resource.id),
      attrs: { registered: attributesOf(resource, registry) },
      parents: [],
    });
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

function groupById<T extends { readonly id: string }>(entries: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const group = groups.get(entry.id);
    if (group === undefined) groups.set(entry.id, [entry]);
    else group.push(entry);
  }
  return groups;
}
