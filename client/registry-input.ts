import type { Snapshot } from '../src/config/snapshot.ts';
import type { RegistryInput } from '../src/registry/snapshot.ts';

/** What of a config a registry is made from. */
export function registryInput({ settings, actors }: Snapshot): RegistryInput {
  return { tenant: settings.policy.tenant, system: settings.policy.system, actors: actors.values() };
}
