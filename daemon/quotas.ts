import type { Clock } from '../src/kernel/clock.ts';
import { DayCounts } from '../src/ledger/day-counts.ts';
import { queryLedger } from '../src/ledger/query.ts';
import type { Services, World } from '../src/operations/context.ts';

const MAX_NAMED = 10;

/** What was released today, `lastSeq` being the last record before this process wrote any. */
export function dayCounts(stateDir: string, clock: Clock, lastSeq: bigint): DayCounts {
  return new DayCounts({
    now: () => clock.now(),
    earlier: async function* (since) {
      // With a limit the files are read backwards, and those of other days not at all.
      const found = queryLedger(stateDir, { since, outcome: 'ok' }, { limit: Number.MAX_SAFE_INTEGER });
      for await (const { record } of found) if (BigInt(record.seq) <= lastSeq) yield record;
    },
  });
}

/** Sentences on quotas that are used up. */
export function usedUp({ quotas }: Services, { snapshot }: World): string[] {
  const { actors } = snapshot;
  const names: string[] = [];
  for (const [name, counts] of quotas.all()) {
    for (const [kind, limit] of Object.entries(actors.get(name)?.quota ?? {}))
      if ((counts[kind as keyof typeof counts] ?? 0) >= limit) names.push(`${name} (${limit} of ${kind})`);
  }
  if (names.length === 0) return [];
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  const until = new Date(quotas.resetsAt()).toISOString().slice(0, 16);
  return [`quotas used up until ${until}Z: ${names.slice(0, MAX_NAMED).join(', ')}${more}`];
}
