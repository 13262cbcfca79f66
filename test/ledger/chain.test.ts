import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../src/ledger/record.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { closeLedger, openLedger, refusalOf, release, temporaryFolder } from './support.ts';

const lines = (dir: string): string[] => readFileSync(join(dir, 'signatures.log'), 'utf8').split('\n').slice(0, -1);

describe('a record in signatures.log', () => {
  it('is one JSON line with its keys in the fixed order', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    const receipt = await ledger.append({
      serial: '7',
      outcome: 'ok',
      actor: 'adm-example',
      kind: 'sign',
      ticket: 'T-1',
    });
    expect(receipt).toEqual({ seq: 1n, time: '2026-06-24T10:00:00.000Z' });
    const zeros = '0'.repeat(64);
    const before = `{"v":1,"seq":1,"prev":"${zeros}","time":"2026-06-24T10:00:00.000Z","kind":"sign","outcome":"ok","actor":"adm-example","serial":"7","ticket":"T-1"`;
    const hash = createHash('sha256').update(Buffer.alloc(32)).update(before).digest('hex');
    expect(lines(dir)).toEqual([`${before},"hash":"${hash}"}`]);
  });

  it('follows the one before it by that one’s hash, as a hand-written reader computes it', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { checkpointEvery: 3 });
    for (let serial = 1; serial <= 7; serial += 1) await ledger.append(release(serial));
    let prev = '0'.repeat(64);
    for (const line of lines(dir)) {
      const record = JSON.parse(line);
      expect(record.prev).toBe(prev);
      const body = line.slice(0, line.lastIndexOf(',"hash"'));
      expect(record.hash).toBe(createHash('sha256').update(Buffer.from(prev, 'hex')).update(body).digest('hex'));
      prev = record.hash;
    }
    const kinds = lines(dir).map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(['sign', 'sign', 'sign', 'checkpoint', 'sign', 'sign', 'sign', 'checkpoint', 'sign']);
  });

  it('keeps a user’s newlines, quotes and lone surrogates inside its one line', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    const user_reason = 'a\n","hash":"x"}\n\ud800 \u2028 ü';
    await ledger.append(release(1, { user_reason }));
    expect(lines(dir)).toHaveLength(1);
    expect(JSON.parse(lines(dir)[0] ?? '').user_reason).toBe(user_reason);
    expect((await verifyLedger(dir)).findings).toEqual([]);
  });

  it('that would take more than 64 KiB is refused, and the next one is written', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    const error = await refusalOf(ledger.append(release(1, { user_reason: 'x'.repeat(70_000) })));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toMatch(/^the ledger record would take 70\d{3} bytes, at most 65536$/);
    expect((await ledger.append(release(2))).seq).toBe(1n);
  });

  it('of a refusal is clipped where it is too long: a caller can’t keep itself out of the ledger', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.appendRefusal({
      kind: 'sign',
      outcome: 'refused',
      reason: 'ttl_out_of_bounds',
      actor: 'a'.repeat(100_000),
    });
    expect(JSON.parse(lines(dir)[0] ?? '').actor).toBe(`${'a'.repeat(256)}…`);
  });

  it.each([
    ['a number that is none', { ttl_hours: Number.NaN }],
    ['a text that is a number', { actor: 7 }],
    ['a list of numbers', { principals: [1] }],
  ])('with %s is refused as internal', async (_, wrong) => {
    const { ledger } = await openLedger(temporaryFolder());
    const error = await refusalOf(ledger.append({ ...release(1), ...(wrong as Partial<LedgerEntry>) }));
    expect([error.code, error.message]).toEqual(['internal', 'a ledger record holds a value of the wrong type']);
  });
});

describe('the ledger', () => {
  it('goes on after a restart where it stopped, and remembers the highest serial', async () => {
    const dir = temporaryFolder();
    const first = await openLedger(dir);
    await first.ledger.append(release(5));
    await first.ledger.append(release(12));
    await first.ledger.append(release(3));
    await first.ledger.append(release(1, { backend: 'openbao', serial: '9223372036854775807' }));
    await closeLedger(first.ledger);
    const second = await openLedger(dir);
    expect(second.ledger.lastSerial()).toBe(12n);
    expect(second.ledger.status()).toMatchObject({ seq: 4n, writable: true, failure: null });
    expect((await second.ledger.append(release(13))).seq).toBe(5n);
    expect(second.ledger.lastSerial()).toBe(13n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 5, firstSeq: 1, lastSeq: 5 });
  });

  it('writes a hundred waiting records with one durable write', async () => {
    const { ledger } = await openLedger(temporaryFolder(), { checkpointEvery: 1000 });
    const receipts = await Promise.all(Array.from({ length: 100 }, (_, n) => ledger.append(release(n))));
    expect(receipts.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, n) => BigInt(n + 1)));
    expect(ledger.status()).toMatchObject({ commits: 1, records: 100 });
  });

  it('answers that its queue is full to the record that finds 4096 waiting', async () => {
    const { ledger } = await openLedger(temporaryFolder(), { checkpointEvery: 10_000 });
    const waiting = Array.from({ length: 4096 }, (_, n) => ledger.append(release(n)));
    const error = await refusalOf(ledger.append(release(1)));
    expect([error.code, error.message]).toEqual(['ledger_unavailable', 'the ledger queue is full']);
    await Promise.all(waiting);
    expect((await ledger.append(release(1))).seq).toBe(4097n);
  });

  it('refuses after it was closed', async () => {
    const { ledger } = await openLedger(temporaryFolder());
    await closeLedger(ledger);
    const error = await refusalOf(ledger.append(release(1)));
    expect([error.code, error.message]).toEqual(['ledger_unavailable', 'the ledger is closed']);
  });

  it('keeps its files and its key from other users', async () => {
    const dir = temporaryFolder();
    await openLedger(dir);
    const modes = ['signatures.log', 'signatures.head', 'ledger_ed25519'].map(
      (name) => statSync(join(dir, name)).mode & 0o777,
    );
    expect(modes).toEqual([0o600, 0o600, 0o600]);
  });

  it('chains whatever is recorded, over rotations and restarts', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const entry = fc.record(
      {
        kind: fc.constantFrom('sign', 'fetch', 'exec_end', 'reload'),
        outcome: fc.constantFrom('ok', 'refused', 'failed'),
        actor: text,
        user_reason: text,
        serial: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
        principals: fc.array(text, { maxLength: 3 }),
        ttl_hours: fc.double({ noNaN: true, noDefaultInfinity: true }),
        policy_cached: fc.boolean(),
        caller: fc.record(
          { uid: fc.nat(), gid: fc.nat(), pid: fc.nat(), exe: text },
          { requiredKeys: ['uid', 'gid', 'pid'] },
        ),
      },
      { requiredKeys: ['kind', 'outcome'] },
    ) as fc.Arbitrary<LedgerEntry>;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 12 }), { maxLength: 4 }), async (sessions) => {
        const dir = temporaryFolder();
        for (const entries of sessions) {
          const { ledger } = await openLedger(dir, { checkpointEvery: 4, rotateBytes: 2000 });
          await Promise.all(entries.slice(0, 5).map((one) => ledger.append(one)));
          for (const one of entries.slice(5)) await ledger.append(one);
          await closeLedger(ledger);
        }
        const result = await verifyLedger(dir);
        expect(result.findings).toEqual([]);
        const written = sessions.flat().length;
        expect(result.records).toBeGreaterThanOrEqual(written);
        expect(result.lastSeq ?? 0).toBe(result.records);
      }),
      { numRuns: 40 },
    );
  });
});
