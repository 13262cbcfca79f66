import type { RouteUnit } from '../access/route.ts';
import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { RequestContext } from './context.ts';
import { type FetchOutput, fetchSecret } from './fetch.ts';
import { Trail } from './trail.ts';

/** What systemd asks for: one credential of one unit, as the unit file calls it. */
export interface CredentialRequest {
  readonly unit: string;
  readonly name: string;
}

/**
 * A value for a unit that systemd is about to start. The catalogue says which workload the unit is: systemd vouches
 * for the unit, so that nobody else's word is needed, and everything after that is as for any other fetch.
 * @throws WardenError as fetchSecret, recorded
 */
export async function deliverCredential(asked: CredentialRequest, context: RequestContext): Promise<FetchOutput> {
  const found = findUnit(asked, context);
  if (found === null) {
    const cause = `no route lists ${asked.name} of ${asked.unit} under units:`;
    throw await new Trail('fetch', context).refuse(
      new WardenError('route_not_allowed', 'no route gives this unit that credential', { privateDetail: cause }),
    );
  }
  const { route, entry } = found;
  return fetchSecret(
    {
      route,
      actor: entry.actor,
      fields: entry.field === null ? [] : [entry.field],
      single: true,
      wrapSeconds: 0,
      token: null,
      subject: '',
      idToken: '',
      reason: `LoadCredential=${asked.name} of ${asked.unit}`,
      ticket: '',
    },
    context,
    namedActor,
  );
}

function findUnit(asked: CredentialRequest, { world }: RequestContext): { route: string; entry: RouteUnit } | null {
  for (const { id, units } of world.snapshot.routes.values()) {
    const entry = units.find(({ unit, name }) => unit === asked.unit && name === asked.name);
    if (entry !== undefined) return { route: id, entry };
  }
  return null;
}

/** The actor that the catalogue names for the unit. @throws WardenError caller_not_allowed */
async function namedActor(name: string, { world }: RequestContext): Promise<Actor> {
  const actor = world.snapshot.actors.get(name);
  if (actor !== undefined) return actor;
  throw new WardenError('caller_not_allowed', 'this caller may not ask for that', {
    privateDetail: `no actor ${name} in the inventory`,
  });
}
