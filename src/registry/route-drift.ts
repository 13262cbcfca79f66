import {
  isSecretRouteResource,
  type RegistrySnapshot,
  type SecretRouteAttributes,
  secretRouteId,
} from '../policy/registry-snapshot.ts';

/** One difference: its rule, the route, and a sentence. */
export type RouteDifference = readonly [rule: string, route: string, message: string];

/**
 * How the routes of a registry differ from those of the catalogue. A registry without any was built without
 * `--routes`: nothing is amiss then, unless `due`, which says that the gate is asked about routes.
 */
export function routeDrift(registry: RegistrySnapshot, wanted: RegistrySnapshot, due: boolean): RouteDifference[] {
  const have = new Map(registry.resources.filter(isSecretRouteResource).map((entry) => [entry.id, entry]));
  if (have.size === 0 && !due) return [];
  const found: RouteDifference[] = [];
  for (const { id, attributes } of wanted.resources.filter(isSecretRouteResource)) {
    const route = routeOf(id);
    const registered = have.get(id);
    have.delete(id);
    if (registered === undefined) {
      found.push(['registry_route_missing', route, `route ${route} is in the catalogue and not in the registry`]);
      continue;
    }
    for (const name of Object.keys(attributes) as (keyof SecretRouteAttributes)[]) {
      const [a, b] = [wordsOf(registered.attributes[name]), wordsOf(attributes[name])];
      if (a === b) continue;
      const message = `route ${route}: ${name} ${a} in the registry, ${b} in the catalogue`;
      found.push([`registry_route_${name}_${Array.isArray(attributes[name]) ? 'differ' : 'differs'}`, route, message]);
    }
  }
  for (const id of have.keys()) {
    const route = routeOf(id);
    found.push(['registry_route_extra', route, `route ${route} is in the registry and not in the catalogue`]);
  }
  return found;
}

function routeOf(resourceId: string): string {
  const prefix = secretRouteId('');
  return resourceId.startsWith(prefix) ? resourceId.slice(prefix.length) : resourceId;
}

/** Lists as sets: their order says nothing. */
function wordsOf(value: string | readonly string[]): string {
  if (typeof value === 'string') return value;
  return value.length === 0 ? '(none)' : [...new Set(value)].sort().join(', ');
}
