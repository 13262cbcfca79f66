import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RecordedEntry } from '../../src/ledger/record.ts';
import { changeOfRecord, recordOfChange } from '../../src/revocation/change.ts';
import { applyChange, type RestraintChange, type Revoked, UNRESTRAINED } from '../../src/revocation/restraints.ts';
import { decodeSaved, encodeSaved } from '../../src/revocation/state-file.ts';

const until = fc.option(fc.bigInt({ min: 0n, max: 9_000_000_000n }));
const item: fc.Arbitrary<Revoked> = fc.oneof(
  fc.record({ what: fc.constant('serial' as const), value: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }), until }),
  fc.record({ what: fc.constant('key_id' as const), value: fc.string({ minLength: 1 }), until }),
  fc.record({ what: fc.constant('key' as const), value: fc.constant(`SHA256:${'a'.repeat(43)}`) }),
  fc.record({ what: fc.constant('actor' as const), value: fc.string({ minLength: 1 }) }),
);
const change: fc.Arbitrary<RestraintChange> = fc.oneof(
  fc.record({
    kind: fc.constant('revoke' as const),
    action: fc.constantFrom('set' as const, 'lift' as const),
    items: fc.array(item),
  }),
  fc.record({
    kind: fc.constant('lockdown' as const),
    action: fc.constantFrom('set' as const, 'lift' as const),
    reason: fc.string(),
  }),
);

describe('a change', () => {
  test('comes back from its ledger record, and a refused one never does', () => {
    fc.assert(
      fc.property(change, (made) => {
        const record = { kind: made.kind, outcome: 'ok', ...recordOfChange(made) } as unknown as RecordedEntry;
        expect(changeOfRecord(JSON.parse(JSON.stringify(record)))).toEqual(made);
        expect(changeOfRecord({ ...record, outcome: 'refused' })).toBeNull();
      }),
    );
  });

  test('leads to the same state through the state file', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        let state = UNRESTRAINED;
        for (const [index, made] of changes.entries())
          state = applyChange(state, made, { seq: index + 1, time: index });
        const saved = { state, number: 9n, generatedAt: 5, authorities: [Buffer.from('blob')] };
        expect(decodeSaved(encodeSaved(saved))).toEqual(saved);
      }),
    );
  });
});

describe('the state', () => {
  const at = (seconds: number) => ({ seq: 1, time: seconds * 1000 });
  const set = (...items: Revoked[]): RestraintChange => ({ kind: 'revoke', action: 'set', items });
  const MONTH = 30 * 86_400;
  const first = applyChange(UNRESTRAINED, set({ what: 'serial', value: 5n, until: 1000n }), at(0));
  const leftAt = (...times: number[]) =>
    times.reduce((state, seconds) => applyChange(state, set(), at(seconds)), first).serials;

  test('forgets a certificate a month after its end, once two changes say so, and no sooner', () => {
    expect(leftAt(1000 + MONTH, 1000 + MONTH)).toEqual(new Map([[5n, 1000n]]));
    expect(leftAt(1001 + MONTH)).toEqual(new Map([[5n, 1000n]]));
    expect(leftAt(1001 + MONTH, 1001 + MONTH)).toEqual(new Map());
  });

  test.each([
    ['leaps a week ahead and back, whatever changes meanwhile', [604_800, 604_801, 604_802, 2]],
    ['leaps years ahead for one change and back', [400_000_000, 2, 3]],
    ['leaps years ahead for one change, twice', [400_000_000, 2, 400_000_000, 3]],
    ['leaps back before there was a certificate, and ahead again', [-400_000_000, 2, 3]],
  ])('forgets nothing where the clock %s', (_how, times) => {
    expect(leftAt(...times)).toEqual(new Map([[5n, 1000n]]));
  });

  test('never forgets what has no known end, also where the end is said later', () => {
    const first = applyChange(UNRESTRAINED, set({ what: 'serial', value: 5n, until: null }), at(0));
    const again = applyChange(first, set({ what: 'serial', value: 5n, until: 1n }), at(0));
    expect(applyChange(again, set(), at(9e8)).serials).toEqual(new Map([[5n, null]]));
  });

  test('keeps a lockdown over revocations, and actors over a lockdown', () => {
    const locked = applyChange(UNRESTRAINED, { kind: 'lockdown', action: 'set', reason: 'x' }, at(7));
    const both = applyChange(locked, set({ what: 'actor', value: 'agt-a' }), at(8));
    expect(both.lockdown).toEqual({ since: 7000, reason: 'x' });
    const lifted = applyChange(both, { kind: 'lockdown', action: 'lift', reason: '' }, at(9));
    expect(lifted.lockdown).toBeNull();
    expect(lifted.actors).toEqual(new Set(['agt-a']));
  });

  test.each([
    ['no JSON', '{'],
    ['of another version', '{"version":2}'],
    [
      'with a serial that is none',
      encodeSaved({ state: UNRESTRAINED, number: 1n, generatedAt: 1, authorities: [] }).replace(
        '"serials": []',
        '"serials": [["x", null]]',
      ),
    ],
    [
      'with a field of another type',
      encodeSaved({ state: UNRESTRAINED, number: 1n, generatedAt: 1, authorities: [] }).replace(
        '"actors": []',
        '"actors": "agt-a"',
      ),
    ],
  ])('is read from the ledger again where its file is %s', (_, text) => {
    expect(decodeSaved(text)).toBeNull();
  });
});
