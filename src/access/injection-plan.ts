import { WardenError } from '../kernel/errors.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import { isReserved } from './command-environment.ts';
import { fieldsOf, type Injection, type Route } from './route.ts';

/** One field of a route as a variable, by the caller's wish. */
export interface Reference {
  readonly variable: string;
  readonly route: string;
  /** "": the only one that the route has. */
  readonly field: string;
}

/** What one route is walked for. */
export interface PlannedRoute {
  readonly route: Route;
  /** At least one; each once. */
  readonly fields: readonly string[];
  readonly injections: readonly Injection[];
}

export interface Wanted {
  /** Each once, in the order asked for: those with all that their `inject` says, and those that references name. */
  readonly routes: readonly Route[];
  /** Ids of the former. */
  readonly whole: ReadonlySet<string>;
  readonly references: readonly Reference[];
  readonly posture: EnvPosture;
}

/**
 * Which fields reach the command, and how. Pure.
 * @throws WardenError route_unusable for a route that cannot do it here, invalid_request where two things want one place
 */
export function planInjections({ routes, whole, references, posture }: Wanted): PlannedRoute[] {
  const taken = new Map<string, string>();
  return routes.map((route) => {
    const fields = usableFields(route, posture);
    const injections = [
      ...(whole.has(route.id) ? ownInjections(route) : []),
      ...references.filter((one) => one.route === route.id).map((one) => referred(one, route, fields)),
    ];
    for (const injection of injections) {
      if (!fields.includes(injection.field)) {
        throw new WardenError('route_unusable', `${route.id} has no field ${injection.field} in posture ${posture}`, {
          hint: `add it to location.${posture} of the route in routes.yaml`,
        });
      }
      const place = placeOf(injection);
      const before = taken.get(place);
      if (before !== undefined) {
        const who = before === route.id ? `${route.id} twice` : `both ${before} and ${route.id}`;
        throw new WardenError('invalid_request', `${place} would be filled by ${who}`, {
          hint: 'leave one of them out, or run two commands',
        });
      }
      taken.set(place, route.id);
    }
    return { route, fields: [...new Set(injections.map(({ field }) => field))], injections };
  });
}

function usableFields(route: Route, posture: EnvPosture): readonly string[] {
  if (!route.execCapable) {
    throw new WardenError('route_unusable', `no command may run with ${route.id}`, {
      hint: route.fetchCapable ? 'fetch its value: warden fetch' : 'exec_capable of the route is false',
    });
  }
  const fields = fieldsOf(route, posture);
  if (fields.length > 0) return fields;
  throw new WardenError('route_unusable', `the route ${route.id} has no place in posture ${posture}`, {
    hint: `give it a location.${posture} in routes.yaml`,
  });
}

function ownInjections({ id, inject }: Route): readonly Injection[] {
  if (inject.length > 0) return inject;
  throw new WardenError('route_unusable', `${id} does not say how its fields reach a command`, {
    hint: `give it inject: in routes.yaml, or name the variable in an --env-file: NAME=warden://${id}`,
  });
}

/** Where the owner says that a field comes as a file, the caller cannot have it as a variable. */
function referred({ variable, route: id, field }: Reference, route: Route, fields: readonly string[]): Injection {
  const [only] = fields;
  if (field === '' && fields.length > 1) {
    throw new WardenError('invalid_request', `${id} has several fields, and ${variable} names none`, {
      hint: `write one of ${fields.map((one) => `warden://${id}/${one}`).join(', ')}`,
    });
  }
  const name = field === '' ? (only ?? '') : field;
  if (!fields.includes(name)) {
    throw new WardenError('invalid_request', `${id} has no field ${name}`, { hint: `it has ${fields.join(', ')}` });
  }
  if (isReserved(variable)) {
    throw new WardenError('invalid_request', `${variable} is not for secrets`, {
      hint: 'name a variable that only the command reads',
    });
  }
  const own = route.inject.filter((one) => one.field === name);
  if (route.inject.length > 0 && !own.some(({ kind }) => kind === 'env')) {
    throw new WardenError('route_unusable', `${id} does not give ${name} as a variable`, {
      hint: `ask for what its inject: says: --route ${id}`,
    });
  }
  return { kind: 'env', field: name, variable };
}

function placeOf(injection: Injection): string {
  switch (injection.kind) {
    case 'env':
    case 'file':
      return injection.variable;
    case 'stdin':
      return 'stdin';
    case 'fd':
      return `descriptor ${injection.descriptor}`;
  }
}

/** `token as NODE_AUTH_TOKEN`, for people. */
export function injectionText(injection: Injection): string {
  switch (injection.kind) {
    case 'env':
      return `${injection.field} as ${injection.variable}`;
    case 'file':
      return `${injection.field} in a file named by ${injection.variable}`;
    case 'stdin':
      return `${injection.field} on stdin`;
    case 'fd':
      return `${injection.field} on descriptor ${injection.descriptor}`;
  }
}
