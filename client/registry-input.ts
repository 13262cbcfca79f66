import type { Snapshot } from '../src/config/snapshot.ts';
import type { DriftInput } from '../src/registry/drift.ts';
import type { RegistryInput } from '../src/registry/snapshot.ts';

/** What of a config a registry is made from, without the routes. */
export function registryInput({ settings, actors }: Snapshot): RegistryInput {
  return { tenant: settings.policy.tenant, system: settings.policy.system, actors: actors.values() };
}

/** What of a config a registry is held against. */
export function driftInput(config: Snapshot): DriftInput {
  const { gate } = config.settings.policy;
  return {
    ...registryInput(config),
    routes: config.routes.values(),
    routesDue: gate.includes('fetch') || gate.includes('exec'),
  };
}
