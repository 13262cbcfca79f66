import { resolve } from 'node:path';
import { describeChanges } from '../src/config/diff.ts';
import type { Snapshot } from '../src/config/snapshot.ts';
import { ACTOR_TYPES, type Actor } from '../src/inventory/actor.ts';
import { MATURITIES } from '../src/kernel/posture.ts';
import { WardenDefinition, type Actor as WireActor } from '../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from './args.ts';
import { loadFolder } from './config-offline.ts';
import { withDaemon } from './connect.ts';
import type { Invocation } from './invocation.ts';

/** Who would gain and lose what if `config`, which was read from `own`, took the place of another folder's, in words. */
export async function changesAgainstFolder(config: Snapshot, own: string, dir: string): Promise<readonly string[]> {
  const other = await loadFolder(resolve(dir));
  if (other.config === null)
    throw usageError(
      `the config in ${other.dir} does not hold, so nothing can be compared`,
      `see warden check --config ${other.dir}`,
    );
  // Paths are relative to the folder in the files: seen from here they are the same.
  const settings = movedTo(other.dir, own, other.config.settings) as Snapshot['settings'];
  const named = { ...config, settings: withoutFiles(config.settings) };
  return describe({ ...other.config, settings: withoutFiles(settings) }, named);
}

/** A copied key is another file and the same key. */
function withoutFiles(settings: Snapshot['settings']): Snapshot['settings'] {
  const { key, next, retired } = settings.ca;
  return { ...settings, ca: { key, next, retired } };
}

/**
 * The same against what the daemon has in force, as far as it tells: actors with principals, lifetimes,
 * maturity, tenant and subjects. It tells everything to administrators only.
 */
export async function changesAgainstDaemon(config: Snapshot, invocation: Invocation): Promise<readonly string[]> {
  const { fullName, methods } = WardenDefinition;
  const [{ actors }, status] = await withDaemon(invocation, (channel) =>
    Promise.all([
      channel.unary(fullName, methods.listActors, {}, { maxMessageBytes: 64 * 1024 * 1024 }),
      channel.unary(fullName, methods.status, {}),
    ]),
  );
  // The folders are told to administrators alone, as are the actors of others.
  if (status.configDir === '') {
    throw usageError(
      '--diff needs an administrator: the daemon shows you your own actors only',
      'compare two folders: --against DIR',
    );
  }
  const before = new Map(actors.map((actor) => [actor.name, toActor(actor, config.actors.get(actor.name))]));
  const lines = describe({ ...config, actors: before }, config);
  const same = status.snapshot?.hash === config.hash;
  return same || lines.length > 0
    ? lines
    : [
        'the files differ from what is in force in settings, hosts, callers or certificate options, which the daemon does not tell: see --against DIR',
      ];
}

/** The value with every path in `from` as the same path in `to`. Both absolute. */
function movedTo(from: string, to: string, value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(`${from}/`) ? `${to}${value.slice(from.length)}` : value;
  if (Array.isArray(value)) return value.map((inner) => movedTo(from, to, inner));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, movedTo(from, to, inner)]));
}

function describe(before: Snapshot, after: Snapshot): readonly string[] {
  return describeChanges(before, after).lines;
}

/** What the daemon does not tell of an actor is taken as unchanged. */
function toActor(wire: WireActor, now: Actor | undefined): Actor {
  const type = ACTOR_TYPES.find((known) => known === wire.type);
  const maturity = MATURITIES.find((known) => known === wire.maturity);
  if (type === undefined || maturity === undefined)
    throw usageError('the daemon is newer than this client', 'upgrade the client');
  return {
    name: wire.name,
    type,
    principals: wire.principals,
    ttlSeconds: Number(wire.ttlSeconds),
    maxTtlSeconds: Number(wire.maxTtlSeconds),
    maturity,
    tenant: wire.tenant,
    allowedSubjects: wire.allowedSubjects,
    callers: now?.callers ?? null,
    options: now?.options ?? { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: [] },
    openbaoRole: now?.openbaoRole ?? null,
  };
}
