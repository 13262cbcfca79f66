import { readFileSync } from 'node:fs';
import { parseInventory } from '../../src/config/parse.ts';
import type { Actor } from '../../src/inventory/actor.ts';

export const examples = new URL('../../examples/', import.meta.url);

/** The actors of an example inventory, as the daemon loads it. */
export function readInventory(name: string): readonly Actor[] {
  const source = { file: name, bytes: readFileSync(new URL(name, examples)) };
  const ceilingsSeconds = { adm: 48 * 3600, agt: 24 * 3600, atm: 8 * 3600 };
  const nothing = { uid: () => null, gid: () => null, realPath: () => null, fileIdentity: () => null };
  const parsed = parseInventory(source, { ceilingsSeconds, tenant: PLATFORM.tenant }, nothing);
  if (parsed.problems.length > 0) throw new Error(`${name}: ${JSON.stringify(parsed.problems)}`);
  return parsed.actors;
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
