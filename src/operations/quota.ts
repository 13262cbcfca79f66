import type { Actor } from '../inventory/actor.ts';
import { type QuotaKind, quotaKindOf } from '../inventory/quota.ts';
import { WardenError } from '../kernel/errors.ts';
import type { LedgerKind } from '../ledger/record.ts';
import type { RequestContext } from './context.ts';

/**
 * Asked early, so that a refusal costs nobody a question; `Trail.release` counts, and has the last word.
 * @throws WardenError quota_exceeded | ledger_unavailable where today cannot be counted
 */
export async function checkQuota(
  kind: QuotaKind,
  actor: Pick<Actor, 'name' | 'quota'>,
  context: RequestContext,
  count = 1,
): Promise<void> {
  const limit = actor.quota?.[kind];
  if (limit === undefined) return;
  const { quotas } = context.services;
  await quotas.ready();
  if (quotas.used(actor.name, kind) + count > limit) throw exceeded(actor.name, kind, limit, context);
}

/**
 * Counts a release that is about to happen. What comes back undoes that, where it does not happen after all.
 * @throws as `checkQuota`
 */
export async function countRelease(
  recordKind: LedgerKind,
  name: string | undefined,
  context: RequestContext,
): Promise<() => void> {
  const kind = quotaKindOf(recordKind);
  if (kind === null || name === undefined) return () => {};
  const { quotas } = context.services;
  const limit = context.world.snapshot.actors.get(name)?.quota?.[kind] ?? null;
  if (limit !== null) await quotas.ready();
  const taken = quotas.take(name, kind, limit);
  if (taken === null) throw exceeded(name, kind, limit ?? 0, context);
  return () => taken.giveBack();
}

/** For an explanation: what the step wants, and what was there. */
export function quotaNeeds(kind: QuotaKind, { quota }: Pick<Actor, 'quota'>): string {
  const limit = quota?.[kind];
  return limit === undefined
    ? `nothing: the actor has no quota of ${kind}`
    : `at most ${limit} of ${kind} in a day (UTC)`;
}

export function quotaWas(
  kind: QuotaKind,
  { name, quota }: Pick<Actor, 'name' | 'quota'>,
  { services }: RequestContext,
): string {
  return quota?.[kind] === undefined ? 'not asked' : `${services.quotas.used(name, kind)} so far today`;
}

export function quotaOutcome(kind: QuotaKind, { quota }: Pick<Actor, 'quota'>): 'held' | 'not_asked' {
  return quota?.[kind] === undefined ? 'not_asked' : 'held';
}

/** What of its quota an actor has used, for those who may know. */
export interface QuotaUse {
  readonly kind: QuotaKind;
  readonly limit: number;
  readonly used: number;
  /** Milliseconds since the epoch. */
  readonly resetsAt: number;
}

/** @throws WardenError ledger_unavailable */
export async function quotaUse({ name, quota = {} }: Actor, { services }: RequestContext): Promise<QuotaUse[]> {
  const limits = Object.entries(quota) as [QuotaKind, number][];
  if (limits.length === 0) return [];
  await services.quotas.ready();
  const resetsAt = services.quotas.resetsAt();
  return limits.map(([kind, limit]) => ({ kind, limit, used: services.quotas.used(name, kind), resetsAt }));
}

function exceeded(name: string, kind: QuotaKind, limit: number, { services }: RequestContext): WardenError {
  const resetsAt = services.quotas.resetsAt();
  const at = new Date(resetsAt).toISOString().replace('.000', '');
  return new WardenError(
    'quota_exceeded',
    `${name} has had its ${limit} of ${kind} for today; it begins anew at ${at}`,
    {
      retryAfterMs: Math.max(0, resetsAt - services.clock.now()),
    },
  );
}
