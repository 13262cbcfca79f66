import { stringify } from 'yaml';
import type { RegistrySnapshot } from '../policy/registry-snapshot.ts';
import { inOrder } from './snapshot.ts';

/** The subjects of a registry as a YAML manifest: the same entries in the same order, LF, no time. */
export function formatSubjectManifest(registry: RegistrySnapshot): string {
  const { version, tenant, system, subjects } = inOrder(registry);
  return toYaml({ version, tenant, system, subjects });
}

/** The resources of a registry as a YAML manifest: the same entries in the same order, LF, no time. */
export function formatResourceManifest(registry: RegistrySnapshot): string {
  const { version, tenant, system, resources } = inOrder(registry);
  return toYaml({ version, tenant, system, resources });
}

function toYaml(value: unknown): string {
  // No folding and no anchors: the bytes must not depend on lengths or on shared arrays.
  return stringify(value, { indent: 2, lineWidth: 0, aliasDuplicateObjects: false });
}
