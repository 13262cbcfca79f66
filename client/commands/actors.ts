import { formatSeconds } from '../../src/kernel/duration.ts';
import { type Actor, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { columns } from '../output.ts';

/** What the caller may ask for. */
export async function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) =>
    // An administrator's answer holds every actor: 100,000 of them are some 20 MB.
    channel.unary(fullName, methods.listActors, {}, { maxMessageBytes: 64 * 1024 * 1024 }),
  );
  const actors = answer.actors.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (out.json) out.object({ actors: actors.map(toJsonActor) });
  else if (out.quiet)
    for (const { name, usable } of actors) {
      if (usable) out.line(name);
    }
  else if (actors.length === 0) out.line('no actor of the inventory lists you among its callers');
  else {
    const quotas = actors.some((actor) => actor.quotas.length > 0);
    for (const row of columns([
      quotas ? HEAD : HEAD.filter((name) => name !== QUOTA),
      ...actors.map((actor) => toRow(actor, quotas)),
    ]))
      out.line(row);
  }
  return 0;
}

const QUOTA = 'USED TODAY';
const HEAD = ['ACTOR', 'TTL', 'MAX', 'MATURITY', 'YOURS', QUOTA, 'PRINCIPALS'];

function toRow(actor: Actor, quotas: boolean): string[] {
  const { name, ttlSeconds, maxTtlSeconds, maturity, usable, principals } = actor;
  const [ttl, max] = [ttlSeconds, maxTtlSeconds].map((seconds) => formatSeconds(Number(seconds)));
  const used = actor.quotas.map(({ kind, limit, used }) => `${kind} ${used}/${limit}`).join(' ');
  return [
    name,
    ttl ?? '',
    max ?? '',
    maturity,
    usable ? 'yes' : 'no',
    ...(quotas ? [used || '-'] : []),
    principals.join(' '),
  ];
}

function toJsonActor(actor: Actor): Record<string, unknown> {
  return {
    name: actor.name,
    type: actor.type,
    principals: actor.principals,
    ttl_seconds: actor.ttlSeconds,
    max_ttl_seconds: actor.maxTtlSeconds,
    maturity: actor.maturity,
    tenant: actor.tenant,
    allowed_subjects: actor.allowedSubjects,
    usable: actor.usable,
    quotas:
      actor.quotas.length === 0
        ? undefined
        : actor.quotas.map(({ kind, limit, used, resetsAt }) => ({ kind, limit, used, resets_at: resetsAt })),
  };
}
