import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import type { LedgerEntry, LedgerReceipt } from '../../src/ledger/record.ts';
import { FileRestraints } from '../../src/revocation/file-restraints.ts';
import type { RestraintChange } from '../../src/revocation/restraints.ts';
import { parseRevocationList } from '../../src/ssh/krl.ts';
import { openLedger } from '../ledger/support.ts';

const ACTOR: RestraintChange = { kind: 'revoke', action: 'set', items: [{ what: 'actor', value: 'agt-a' }] };
const SERIAL: RestraintChange = { kind: 'revoke', action: 'set', items: [{ what: 'serial', value: 7n, until: null }] };
const LOCK: RestraintChange = { kind: 'lockdown', action: 'set', reason: 'why' };
const LIFT: RestraintChange = { kind: 'lockdown', action: 'lift', reason: '' };
const ENTRY: LedgerEntry = { kind: 'revoke', outcome: 'ok' };
const BLOB = Buffer.from('a key');

/** A ledger that answers when it is told to. */
class Ledger {
  seq = 0;
  #settle: ((error: WardenError | null) => void)[] = [];

  append(): Promise<LedgerReceipt> {
    return new Promise((resolve, reject) => {
      this.#settle.push((error) => {
        if (error !== null) reject(error);
        else resolve({ seq: BigInt(++this.seq), time: new Date().toISOString() });
      });
    });
  }

  settle(error: WardenError | null = null): void {
    this.#settle.shift()?.(error);
  }
}

let dir: string;
let ledger: Ledger;
let restraints: FileRestraints;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warden-restraints-'));
  ledger = new Ledger();
  restraints = await FileRestraints.open({
    dir,
    clock: systemClock,
    ledger,
    lastSeq: () => BigInt(ledger.seq),
    authorities: [BLOB],
  });
});
afterEach(async () => {
  await restraints.close();
  rmSync(dir, { recursive: true, force: true });
});
const onDisk = () => parseRevocationList(readFileSync(join(dir, 'revoked.krl')));

describe('a restraint', () => {
  test('holds from the moment it is asked for, and no longer where the ledger has no record of it', async () => {
    const asked = [restraints.commit(ACTOR, ENTRY), restraints.commit(LOCK, ENTRY)];
    expect([restraints.isRevokedActor('agt-a'), restraints.lockdown?.reason]).toEqual([true, 'why']);
    for (const _ of asked) ledger.settle(new WardenError('ledger_unavailable', 'the disk is full'));
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect([restraints.isRevokedActor('agt-a'), restraints.lockdown]).toEqual([false, null]);
  });

  test('is lifted only once the lift is on record', async () => {
    const set = restraints.commit(LOCK, ENTRY);
    ledger.settle();
    await set;
    const lift = restraints.commit(LIFT, ENTRY);
    expect(restraints.lockdown).not.toBeNull();
    ledger.settle();
    await lift;
    expect(restraints.lockdown).toBeNull();
  });

  test('stays in force where its files cannot be written, says so, and is written with the next one', async () => {
    renameSync(dir, `${dir}-away`);
    const set = restraints.commit(SERIAL, ENTRY);
    ledger.settle();
    await expect(set).rejects.toMatchObject({ code: 'revocation_list_failed', details: { ledgerSeq: 1n } });
    expect(restraints.isWritten).toBe(false);
    expect(parseRevocationList(restraints.list().bytes).certificates[0]?.serials).toEqual([{ low: 7n, high: 7n }]);
    rmSync(`${dir}-away`, { recursive: true });
    mkdirSync(dir);
    const next = restraints.commit(ACTOR, ENTRY);
    ledger.settle();
    await next;
    expect(restraints.isWritten).toBe(true);
    expect(onDisk().certificates[0]?.serials).toEqual([{ low: 7n, high: 7n }]);
  });

  test('of many that come at once each is on the disk when it is said to be', async () => {
    const changes = Array.from({ length: 20 }, (_, index): RestraintChange => {
      return {
        kind: 'revoke',
        action: 'set',
        items: [{ what: 'serial', value: BigInt(index * 100 + 1), until: null }],
      };
    });
    const all = changes.map(async (change, index) => {
      await restraints.commit(change, ENTRY);
      const serials = onDisk().certificates[0]?.serials ?? [];
      expect(serials.some(({ low }) => low === BigInt(index * 100 + 1))).toBe(true);
    });
    for (const _ of changes) ledger.settle();
    await Promise.all(all);
    expect(onDisk().certificates[0]?.serials).toHaveLength(20);
  });

  test('is revoked of a new authority as well as of the former ones, under a higher number', async () => {
    const set = restraints.commit(SERIAL, ENTRY);
    ledger.settle();
    await set;
    const before = onDisk();
    await restraints.setAuthorities([Buffer.from('another key')]);
    const after = onDisk();
    expect(after.certificates.map(({ authority }) => String(authority))).toEqual(['a key', 'another key']);
    expect(after.number).toBeGreaterThan(before.number);
    await restraints.setAuthorities([BLOB]);
    expect(onDisk().number).toBe(after.number);
  });

  test('is in force after a start whose state file does not know it, however far the clock went back before it', async () => {
    const { ledger: real, clock } = await openLedger(dir);
    const open = (): Promise<FileRestraints> =>
      FileRestraints.open({ dir, clock, ledger: real, lastSeq: () => 2n, authorities: [BLOB] });
    const running = await open();
    await running.commit(SERIAL, ENTRY);
    copyFileSync(join(dir, 'restraints.json'), join(dir, 'before.json'));
    clock.wall -= 30 * 86_400_000;
    await running.commit(ACTOR, ENTRY);
    await running.close();
    renameSync(join(dir, 'before.json'), join(dir, 'restraints.json'));
    const next = await open();
    expect([next.isRevokedActor('agt-a'), next.holds({ what: 'serial', value: 7n, until: null })]).toEqual([
      true,
      true,
    ]);
    await next.close();
  });

  test('a state folder that is closed again leaves no temporary file', () => {
    expect(existsSync(join(dir, 'revoked.krl.new')) || existsSync(join(dir, 'restraints.json.new'))).toBe(false);
  });
});
