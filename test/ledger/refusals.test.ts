import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RecordedEntry } from '../../src/ledger/record.ts';
import { MAX_CALLERS, MAX_EXES_PER_UID, RefusalMeter, WINDOW_MS } from '../../src/ledger/refusal-meter.ts';
import { reserveFor } from '../../src/ledger/space.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { closeLedger, openLedger, refusal, release, temporaryFolder } from './support.ts';

const records = (dir: string): RecordedEntry[] =>
  readFileSync(join(dir, 'signatures.log'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('refusals', () => {
  it('of a caller that matches nothing: the first is recorded, the rest of the minute is one counted record', async () => {
    const dir = temporaryFolder();
    const { ledger, clock } = await openLedger(dir);
    const first = await ledger.appendRefusal(refusal());
    expect(first?.seq).toBe(1n);
    for (let n = 0; n < 9; n += 1) expect(await ledger.appendRefusal(refusal())).toEqual(first);
    await ledger.maintain();
    expect(records(dir)).toHaveLength(1);
    clock.advance(WINDOW_MS);
    await ledger.maintain();
    expect(records(dir)).toHaveLength(2);
    expect(records(dir)[1]).toMatchObject({
      kind: 'sign',
      outcome: 'refused',
      reason: 'caller_not_allowed',
      caller: { uid: 1001, exe: '/usr/bin/evil' },
      count: 9,
    });
    expect(ledger.status().refusalsCounted).toBe(9);
  });

  it('are counted minute after minute while they go on, and recorded at once again after a quiet one', async () => {
    const dir = temporaryFolder();
    const { ledger, clock } = await openLedger(dir);
    for (let minute = 0; minute < 3; minute += 1) {
      for (let n = 0; n < 5; n += 1) await ledger.appendRefusal(refusal());
      clock.advance(WINDOW_MS);
      await ledger.maintain();
    }
    expect(records(dir).map(({ count }) => count)).toEqual([undefined, 4, 5, 5]);
    clock.advance(WINDOW_MS);
    await ledger.maintain();
    await ledger.appendRefusal(refusal());
    expect(records(dir).map(({ count }) => count)).toEqual([undefined, 4, 5, 5, undefined]);
  });

  it('that were counted are recorded when the ledger closes', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (let n = 0; n < 3; n += 1) await ledger.appendRefusal(refusal({ reason: 'rate_limited' }));
    await closeLedger(ledger);
    expect(records(dir).map(({ reason, count }) => [reason, count])).toEqual([
      ['rate_limited', undefined],
      ['rate_limited', 2],
    ]);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true });
  });

  it('of callers that may ask are recorded one by one', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (let n = 0; n < 5; n += 1) await ledger.appendRefusal(refusal({ reason: 'policy_denied' }));
    expect(records(dir)).toHaveLength(5);
  });

  it.each([
    'caller_gone',
    'caller_changed',
    'break_glass_forbidden',
    'invalid_request',
    'public_key_malformed',
    'public_key_unsupported',
    'public_key_too_weak',
    'public_key_is_certificate',
  ])('of a caller that no actor admitted are counted whatever it was refused for: %s', async (reason) => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (let n = 0; n < 5; n += 1) await ledger.appendRefusal(refusal({ reason }));
    await closeLedger(ledger);
    expect(records(dir).map((record) => [record.reason, record.count])).toEqual([
      [reason, undefined],
      [reason, 4],
    ]);
  });

  it('of one caller for several reasons: each has a record of its own, and is counted there', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    const reasons = ['caller_changed', 'caller_gone', 'caller_changed', 'caller_gone', 'caller_gone'];
    const seqs: (bigint | undefined)[] = [];
    for (const reason of reasons) seqs.push((await ledger.appendRefusal(refusal({ reason })))?.seq);
    expect(seqs).toEqual([1n, 2n, 1n, 2n, 2n]);
    await closeLedger(ledger);
    expect(records(dir).map(({ reason, count }) => [reason, count])).toEqual([
      ['caller_changed', undefined],
      ['caller_gone', undefined],
      ['caller_changed', 1],
      ['caller_gone', 2],
    ]);
  });

  it('for a key that an admitted caller may not use are recorded one by one', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    const entry = refusal({ reason: 'public_key_unsupported', actor_type: 'agt' });
    for (let n = 0; n < 5; n += 1) await ledger.appendRefusal(entry);
    expect(records(dir)).toHaveLength(5);
  });

  it('in a flood of 100,000 by one caller take two records, and releases go on in between', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { checkpointEvery: 100_000 });
    for (let n = 0; n < 100_000; n += 1) {
      void ledger.appendRefusal(refusal());
      if (n % 10_000 === 0) await ledger.append(release(n + 1));
    }
    await closeLedger(ledger);
    expect(records(dir).filter(({ outcome }) => outcome === 'refused')).toHaveLength(2);
    expect(records(dir).find(({ count }) => count !== undefined)?.count).toBe(99_999);
    expect(records(dir).filter(({ outcome }) => outcome === 'ok')).toHaveLength(10);
  });

  it('in a flood from ever new executables of many users take a bounded number of records and all are counted', () => {
    const meter = new RefusalMeter();
    const flood = 100_000;
    let recorded = 0;
    for (let n = 0; n < flood; n += 1) {
      const caller = { uid: n % 50, gid: 1, pid: n, exe: `/tmp/${n}` };
      if (meter.offer(refusal({ caller }), 0)?.isNew === true) recorded += 1;
    }
    expect(recorded).toBeLessThanOrEqual(MAX_CALLERS + 51);
    const counted = meter.due(0, true);
    expect(counted.length).toBeLessThanOrEqual(MAX_CALLERS + 51);
    expect(counted.reduce((sum, { count }) => sum + (count ?? 0), recorded)).toBe(flood);
    expect(meter.due(0, true)).toEqual([]);
  });

  it('by executables beyond those told apart are counted for their uid, of which no one executable is claimed', () => {
    const meter = new RefusalMeter();
    for (let n = 0; n < MAX_EXES_PER_UID + 10; n += 1) {
      meter.offer(refusal({ caller: { uid: 7, gid: 8, pid: n, exe: `/tmp/${n}` } }), 0);
    }
    expect(meter.due(WINDOW_MS)).toEqual([
      { kind: 'sign', outcome: 'refused', reason: 'caller_not_allowed', caller: { uid: 7, gid: 8, pid: 0 }, count: 9 },
    ]);
  });
});

it.each([
  ['a twentieth of a small disk', 1_000_000, 50_000],
  ['16 MiB of a large one', 1e12, 16 * 1024 * 1024],
])('the reserve for releases is %s', (_, total, reserve) => {
  expect(reserveFor(total)).toBe(reserve);
});
