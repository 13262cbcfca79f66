import { stringify } from 'yaml';
import { isCertificateResource, type RegistrySnapshot } from '../policy/registry-snapshot.ts';
import { inOrder } from './snapshot.ts';

/**
 * The registry as constants for Cerbos (`examples/cerbos/policies/registry.yaml`), where nothing is looked up
 * outside the policies: the same entries, each with its tenant written out. Deterministic, as the snapshot is.
 */
export function formatCerbosRegistry(registry: RegistrySnapshot): string {
  const { tenant: own, system, subjects, resources } = inOrder(registry);
  // A map: an id may be any text, `__proto__` too.
  const bySubject = new Map<string, { type: string; tenant: string }[]>();
  for (const { id, type, tenant = own } of subjects) {
    bySubject.set(id, [...(bySubject.get(id) ?? []), { type, tenant }]);
  }
  const certificates = resources
    .filter(isCertificateResource)
    .map(({ id, tenant = own, attributes }) => [id, { tenant, ...attributes }] as const);
  const constants = {
    apiVersion: 'api.cerbos.dev/v1',
    description: 'Built from the flex-auth registry snapshot; build it again instead of editing it.',
    exportConstants: {
      name: 'registry',
      definitions: { system, subjects: bySubject, resources: new Map(certificates) },
    },
  };
  return stringify(constants, { indent: 2, lineWidth: 0, aliasDuplicateObjects: false });
}
