import { digestOf } from './digest.ts';
import { type Facts, recordingFacts } from './facts.ts';
import { toActor, toHost } from './inventory-from.ts';
import { parseYaml } from './parse-yaml.ts';
import type { ConfigSource, InventoryContext, ParsedInventory, ParsedSettings } from './parser.ts';
import type { Problems } from './problems.ts';
import { actor, host, inventoryFile, type RawActor, type RawHost } from './schema/inventory.ts';
import { wardenFile } from './schema/warden.ts';
import { ceilingsOf, toSettings } from './settings-from.ts';
import { checkSettings } from './settings-rules.ts';

/** warden.yaml as settings. Pure but for the facts it asks. */
export function parseSettings(source: ConfigSource, configDir: string, machine: Facts): ParsedSettings {
  const recording = recordingFacts(machine);
  const { problems, value, data } = parseYaml(source.file, source.bytes, wardenFile);
  let settings = null;
  if (data !== null) {
    checkSettings(data, problems);
    settings = toSettings(data, configDir, recording.facts, problems);
  }
  const good = problems.count === 0 ? settings : null;
  return {
    settings: good,
    context: inventoryContext(value),
    problems: problems.list(),
    warnings: problems.warnings(),
    digest: digestOf(good),
    facts: recording.record(),
  };
}

// Read apart from the rest, so that inventory.yaml is checked too while another part of warden.yaml is wrong.
function inventoryContext(value: unknown): InventoryContext {
  const ceilings = wardenFile.shape.ttl_ceilings_hours.safeParse(part(value, 'ttl_ceilings_hours'));
  const tenant = wardenFile.shape.policy.safeParse(part(value, 'policy'));
  return {
    ceilingsSeconds: value !== undefined && ceilings.success ? ceilingsOf(ceilings.data) : null,
    tenant: tenant.success ? tenant.data.tenant : 'tenant:platform',
  };
}

/** inventory.yaml as actors and hosts. Pure but for the facts it asks. */
export function parseInventory(source: ConfigSource, context: InventoryContext, machine: Facts): ParsedInventory {
  const recording = recordingFacts(machine);
  const { problems, value, data } = parseYaml(source.file, source.bytes, inventoryFile);
  // Where some entries are wrong the others are held against the rules all the same: every problem in one go.
  const rawActors: readonly (RawActor | null)[] =
    data?.actors ?? list(part(value, 'actors')).map((entry) => actor.safeParse(entry).data ?? null);
  const rawHosts: readonly (RawHost | null)[] =
    data?.hosts ?? list(part(value, 'hosts')).map((entry) => host.safeParse(entry).data ?? null);
  refuseTwins('actors', 'actor', rawActors, problems);
  refuseTwins('hosts', 'host', rawHosts, problems);
  const actors = rawActors.flatMap((raw, index) =>
    raw === null ? [] : [toActor(raw, ['actors', index], context, recording.facts, problems)],
  );
  const hosts = rawHosts.flatMap((raw, index) =>
    raw === null ? [] : [toHost(raw, ['hosts', index], recording.facts, problems)],
  );
  const good = problems.count === 0;
  return {
    actors: good ? actors : [],
    hosts: good ? hosts : [],
    problems: problems.list(),
    warnings: problems.warnings(),
    digest: digestOf(good ? { actors: [...actors].sort((a, b) => (a.name < b.name ? -1 : 1)), hosts } : null),
    facts: recording.record(),
  };
}

function refuseTwins(
  key: string,
  word: string,
  entries: readonly ({ readonly name: string } | null)[],
  problems: Problems,
): void {
  const seen = new Set<string>();
  entries.forEach((entry, index) => {
    if (entry === null) return;
    if (seen.has(entry.name))
      problems.at([key, index, 'name'], `the ${word} \`${entry.name}\` stands twice`, 'one entry, or another name');
    seen.add(entry.name);
  });
}

function part(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[key] : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
