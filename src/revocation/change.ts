import type { LedgerEntry, RecordedEntry } from '../ledger/record.ts';
import type { RestraintChange, Revoked } from './restraints.ts';

/** What a ledger record holds of a change; the record alone is enough to do it again. */
export function recordOfChange(change: RestraintChange): Partial<LedgerEntry> {
  if (change.kind === 'lockdown') {
    return { action: change.action, ...(change.reason === '' ? {} : { user_reason: change.reason }) };
  }
  return { action: change.action, revoked: change.items.map(encode) };
}

/** The change that a record made; null where it made none. */
export function changeOfRecord(record: RecordedEntry): RestraintChange | null {
  const { kind, outcome, action } = record;
  if (outcome !== 'ok' || (action !== 'set' && action !== 'lift')) return null;
  if (kind === 'lockdown') return { kind, action, reason: record.user_reason ?? '' };
  if (kind !== 'revoke') return null;
  return { kind, action, items: (record.revoked ?? []).flatMap((text) => decode(text) ?? []) };
}

function encode(item: Revoked): string {
  const until = 'until' in item && item.until !== null ? String(item.until) : '-';
  return `${item.what} ${until} ${item.value}`;
}

function decode(text: string): Revoked | null {
  const [, what, end = '-', value = ''] = /^(serial|key_id|key|actor) (\d{1,20}|-) (.+)$/s.exec(text) ?? [];
  const until = end === '-' ? null : BigInt(end);
  if (what === 'serial') return /^\d{1,20}$/.test(value) ? { what, value: BigInt(value), until } : null;
  if (what === 'key_id') return { what, value, until };
  return what === 'key' || what === 'actor' ? { what, value } : null;
}
