import { promises as fs, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportLedger } from '../../src/ledger/export.ts';
import { followLedger } from '../../src/ledger/follow.ts';
import { readLines, readLinesBackward } from '../../src/ledger/lines.ts';
import { type LedgerFilter, type LedgerLine, queryLedger } from '../../src/ledger/query.ts';
import { closeLedger, openLedger, refusal, refusalOf, release, temporaryFolder } from './support.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const seqs = (lines: readonly LedgerLine[]): number[] => lines.map(({ seq }) => Number(seq));

/** 30 releases a second apart, refusals after each tenth, over several files. */
async function manyFiles(): Promise<string> {
  const dir = temporaryFolder();
  const { ledger, clock } = await openLedger(dir, { rotateBytes: 3_000, checkpointEvery: 1_000 });
  for (let serial = 1; serial <= 30; serial += 1) {
    const actor = serial % 2 === 0 ? 'agt-even' : 'agt-odd';
    await ledger.append(release(serial, { actor, caller: { uid: serial % 3, gid: 0, pid: 1 } }));
    if (serial % 10 === 0) await ledger.appendRefusal(refusal({ reason: 'policy_denied', actor }));
    clock.advance(1_000);
  }
  await closeLedger(ledger);
  return dir;
}

const START = Date.UTC(2026, 5, 24, 10, 0, 0);

describe('a query', () => {
  it.each<[string, LedgerFilter, number | undefined, number[]]>([
    ['without a filter gives all, oldest first', {}, undefined, Array.from({ length: 33 }, (_, n) => n + 1)],
    ['with a limit gives the last ones, oldest first', {}, 4, [30, 31, 32, 33]],
    ['for an outcome', { outcome: 'refused' }, undefined, [11, 22, 33]],
    ['for an outcome with a limit', { outcome: 'refused' }, 2, [22, 33]],
    ['for a reason', { reason: 'policy_denied' }, 1, [33]],
    ['for a serial', { serial: '12' }, 10, [13]],
    ['for a request', { request_id: 'request-3' }, 10, [3]],
    ['for an actor within a time', { actor: 'agt-odd', since: START + 4_000, until: START + 8_000 }, 10, [5, 7, 9]],
    ['for one’s own records', { uid: 0, since: START + 20_000 }, 10, [23, 26, 29, 32]],
    ['for what stands behind a record', { after: 27 }, 10, [28, 29, 30, 31, 32, 33]],
    ['for what stands behind a record, without a limit', { after: 31 }, undefined, [32, 33]],
    ['for what stands behind the last record', { after: 33 }, 10, []],
    ['for a kind that is not there', { kind: 'fetch' }, 10, []],
    ['for part of a name gives nothing', { actor: 'agt-eve' }, 10, []],
  ])('%s', async (_, filter, limit, expected) => {
    const dir = await manyFiles();
    expect(seqs(await all(queryLedger(dir, filter, limit === undefined ? {} : { limit })))).toEqual(expected);
  });

  it('gives each record as it stands in the file', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1, { user_reason: 'ünï\n' }));
    const [line] = await all(queryLedger(dir, {}, { limit: 1 }));
    expect(`${line?.json}\n`).toBe(readFileSync(join(dir, 'signatures.log'), 'utf8'));
    expect(line?.record.user_reason).toBe('ünï\n');
  });

  it('goes on behind a damaged line', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (let serial = 1; serial <= 3; serial += 1) await ledger.append(release(serial));
    await closeLedger(ledger);
    const path = join(dir, 'signatures.log');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"seq":2', '"seq":'));
    expect(seqs(await all(queryLedger(dir, {}, { limit: 10 })))).toEqual([1, 3]);
  });

  it('finds no field inside a text that a caller wrote', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1, { user_reason: 'x","actor":"adm-root' }));
    expect(await all(queryLedger(dir, { actor: 'adm-root' }))).toEqual([]);
  });
});

describe('lines', () => {
  it('read backwards are those read forwards, whatever the file holds', async () => {
    const path = join(temporaryFolder(), 'file');
    const piece = fc.oneof(
      fc.constant('\n'),
      fc.string({ maxLength: 20 }),
      fc.nat(300_000).map((length) => 'x'.repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        writeFileSync(path, pieces.join(''));
        const handle = await fs.open(path);
        const { size } = await handle.stat();
        const forward = (await all(readLines(handle))).flat();
        const backward = (await all(readLinesBackward(handle, size))).flat().reverse();
        await handle.close();
        const shape = (lines: typeof forward) => lines.map(({ offset, ended, bytes }) => [offset, ended, bytes.length]);
        expect(shape(backward)).toEqual(shape(forward));
        const expected = pieces.join('').split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(forward.map(({ bytes }) => bytes.length)).toEqual(
          expected.map((text) => Math.min(Buffer.byteLength(text), 65 * 1024 + 1)),
        );
      }),
      { numRuns: 100 },
    );
  });
});

describe('following', () => {
  it('in the daemon gives each new record once, in order, over rotations, to a slow reader too', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { rotateBytes: 3_000, checkpointEvery: 1_000 });
    await ledger.append(release(1));
    const stop = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { seq } of ledger.follow({ actor: 'agt-wanted' }, stop.signal)) {
        seen.push(Number(seq));
        if (seen.length === 40) stop.abort();
      }
    })();
    for (let n = 2; n <= 81; n += 1)
      await ledger.append(release(n, { actor: n % 2 === 0 ? 'agt-wanted' : 'agt-other' }));
    await following;
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => 2 * (n + 1)));
  });

  it('from another process looks at the files, and ends when told', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { rotateBytes: 2_000, checkpointEvery: 1_000 });
    for (let n = 1; n <= 9; n += 1) await ledger.append(release(n));
    const stop = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { seq } of followLedger(dir, { filter: {}, signal: stop.signal, after: 4 })) {
        seen.push(Number(seq));
        if (seen.length === 5) await ledger.append(release(10));
        if (seen.length === 6) stop.abort();
      }
    })();
    await following;
    expect(seen).toEqual([5, 6, 7, 8, 9, 10]);
  });

  it('tells subscribers of each commit until they stop', async () => {
    const { ledger } = await openLedger(temporaryFolder());
    const seen: bigint[] = [];
    const stop = ledger.subscribe((seq) => seen.push(seq));
    await ledger.append(release(1));
    await Promise.all([ledger.append(release(2)), ledger.append(release(3))]);
    stop();
    await ledger.append(release(4));
    expect(seen).toEqual([1n, 3n]);
  });
});

describe('an export', () => {
  it('in CSV has a header, quotes what needs it and disarms formulas', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1, { user_reason: '=HYPERLINK("http://x")', ticket: 'a,b', exit_code: -1 }));
    const rows = await all(
      exportLedger(dir, { format: 'csv', fields: ['seq', 'exit_code', 'user_reason', 'ticket', 'principals'] }),
    );
    expect(rows.join('')).toBe(
      'seq,exit_code,user_reason,ticket,principals\r\n1,-1,"\'=HYPERLINK(""http://x"")","a,b","[""agt-task-bridge""]"\r\n',
    );
  });

  it('in JSON lines gives the record itself, or the fields that were chosen', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1));
    const [whole] = await all(exportLedger(dir, { format: 'jsonl' }));
    expect(whole).toBe(readFileSync(join(dir, 'signatures.log'), 'utf8'));
    expect(await all(exportLedger(dir, { format: 'jsonl', fields: ['serial', 'ticket', 'seq'] }))).toEqual([
      '{"serial":"1","seq":1}\n',
    ]);
  });

  it('refuses a field that no record has', async () => {
    const error = await refusalOf(all(exportLedger(temporaryFolder(), { format: 'csv', fields: ['password'] })));
    expect([error.code, error.message]).toEqual(['invalid_request', 'records have no field "password"']);
    expect(error.hint).toContain('seq, prev, time, kind');
  });
});

it('misses no record of a follower that meets the end of what is durable in the middle of its reading', async () => {
  const dir = temporaryFolder();
  const { ledger } = await openLedger(dir, { checkpointEvery: 10_000 });
  const count = 900;
  // More than one block of the file.
  await Promise.all(
    Array.from({ length: count }, (_, n) => ledger.append(release(n + 1, { user_reason: 'x'.repeat(400) }))),
  );
  let durable = 100;
  let ring = (): void => {};
  const end = new AbortController();
  const seen: number[] = [];
  const options = {
    filter: {},
    signal: end.signal,
    after: 0,
    // The rest is durable a moment after the follower was told that it is not.
    durable: () => {
      const now = durable;
      if (seen.length === 100) durable = count;
      ring();
      return now;
    },
    wake: (listener: () => void) => {
      ring = listener;
      return () => {};
    },
  };
  for await (const { seq } of followLedger(dir, options)) {
    seen.push(Number(seq));
    if (seen.at(-1) === count) end.abort();
  }
  expect(seen).toEqual(Array.from({ length: count }, (_, n) => n + 1));
});
