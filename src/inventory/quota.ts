/** What an actor may be given so many times a day. `sign` covers issue. */
export const QUOTA_KINDS = ['sign', 'fetch', 'exec'] as const;
export type QuotaKind = (typeof QUOTA_KINDS)[number];

/** Releases in one UTC day; absent: as many as are asked for. */
export type Quota = Readonly<Partial<Record<QuotaKind, number>>>;

const OF_RECORD: Readonly<Record<string, QuotaKind>> = {
  sign: 'sign',
  issue: 'sign',
  fetch: 'fetch',
  exec_start: 'exec',
};

/** Which quota a release counts against, by the kind of its ledger record; null: none. */
export function quotaKindOf(recordKind: string): QuotaKind | null {
  return Object.hasOwn(OF_RECORD, recordKind) ? (OF_RECORD[recordKind] ?? null) : null;
}

/** `200/d`; null where it is not that. */
export function parseQuota(text: string): number | null {
  const count = /^(\d{1,9})\/d$/.exec(text)?.[1];
  return count === undefined ? null : Number(count);
}
