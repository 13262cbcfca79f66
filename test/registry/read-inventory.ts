import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { ACTOR_TYPES, type Actor } from '../../src/inventory/actor.ts';

const schema = z.object({
  actors: z.array(
    z.object({
      name: z.string(),
      type: z.enum(ACTOR_TYPES),
      principals: z.array(z.string()),
      ttl_hours: z.number(),
      max_ttl_hours: z.number(),
      tenant: z.string().default('tenant:platform'),
      allowed_subjects: z.array(z.string()).optional(),
    }),
  ),
});

export const examples = new URL('../../examples/', import.meta.url);

/** The actors of an example inventory, as far as the registry looks at them. */
export function readInventory(name: string): Actor[] {
  const { actors } = schema.parse(parse(readFileSync(new URL(name, examples), 'utf8')));
  return actors.map((entry) =>
    anActor(entry.name, {
      type: entry.type,
      principals: entry.principals,
      ttlSeconds: entry.ttl_hours * 3600,
      maxTtlSeconds: entry.max_ttl_hours * 3600,
      tenant: entry.tenant,
      ...(entry.allowed_subjects === undefined ? {} : { allowedSubjects: entry.allowed_subjects }),
    }),
  );
}

/** An actor with the defaults of the inventory. */
export function anActor(name: string, over: Partial<Actor> = {}): Actor {
  return {
    name,
    type: 'agt',
    principals: [name],
    ttlSeconds: 3600,
    maxTtlSeconds: 8 * 3600,
    maturity: 'M0',
    tenant: 'tenant:platform',
    allowedSubjects: [name, `iam:${name}`],
    callers: [{ uid: 1000 }],
    options: { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: [] },
    openbaoRole: null,
    ...over,
  };
}

export const PLATFORM = { tenant: 'tenant:platform', system: 'ops-warden' } as const;
