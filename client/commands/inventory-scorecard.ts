import { scorecard } from '../../src/inventory/scorecard.ts';
import { queryLedger } from '../../src/ledger/query.ts';
import { registryDrift } from '../../src/registry/drift.ts';
import { MAX_REGISTRY_BYTES, parseRegistry } from '../../src/registry/parse.ts';
import { readBounded } from '../bounded-file.ts';
import { requireConfig } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { ledgerFolder, readingLedger } from '../ledger-offline.ts';
import { driftInput } from '../registry-input.ts';
import { reportFindings } from '../report-findings.ts';

/** Weak places of the inventory; of its use and of the registry only where --state and --registry are given. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const config = await requireConfig(invocation);
  const registry = args.string('registry');
  const report = scorecard({
    actors: [...config.actors.values()],
    ceilingsSeconds: config.settings.ttlCeilingsSeconds,
    usedActors: args.string('state') === undefined ? null : await usedActors(await ledgerFolder(invocation)),
    drift: registry === undefined ? null : driftFrom(registry),
  });
  return reportFindings(report, out);

  function driftFrom(file: string) {
    const content = readBounded(file, 'the registry', MAX_REGISTRY_BYTES).toString('utf8');
    return registryDrift(parseRegistry(content), driftInput(config));
  }
}

/** Of these, an `ok` says that the actor got something: a certificate, a secret, a command run. */
const RELEASES: ReadonlySet<string> = new Set(['sign', 'issue', 'fetch', 'exec_start']);

async function usedActors(stateDir: string): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for await (const { record } of readingLedger(stateDir, queryLedger(stateDir, { outcome: 'ok' }))) {
    if (record.actor !== undefined && RELEASES.has(record.kind)) used.add(record.actor);
  }
  return used;
}
