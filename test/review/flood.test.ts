import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogMeter } from '../../daemon/log-meter.ts';
import { queryLedger } from '../../src/ledger/query.ts';
import { Client, houseOf } from '../e2e/support.ts';
import { closeLedger, openLedger, release, temporaryFolder } from '../ledger/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
});

describe('the log', () => {
  it('takes so many lines a second about those who are not let in, then says how many it left out', () => {
    let now = 5;
    const meter = new LogMeter(() => now, 3);
    const first = Array.from({ length: 10 }, () => meter.next());
    expect(first).toEqual([{ leftOut: 0 }, { leftOut: 0 }, { leftOut: 0 }, ...Array.from({ length: 7 }, () => null)]);
    now += 999;
    expect(meter.next()).toBeNull();
    now += 1;
    expect([meter.next(), meter.next()]).toEqual([{ leftOut: 8 }, { leftOut: 0 }]);
  });

  it('of 2,000 requests over the rate has far fewer lines, and every request of those who were let in', async () => {
    daemon = await startDaemon({ house: houseOf('dev', 'limits: { per_caller_rate: 5/s }\n') });
    const client = await Client.open(daemon.socket);
    const answers = await Promise.allSettled(Array.from({ length: 2_000 }, () => client.sign()));
    const served = answers.filter(({ status }) => status === 'fulfilled').length;
    client.close();
    await daemon.stop();
    const count = (text: string): number => daemon?.stderr.filter((line) => line.includes(text)).length ?? 0;
    expect(count('"msg":"request"')).toBe(served);
    expect(count('rate_limited')).toBeGreaterThan(0);
    expect(count('rate_limited')).toBeLessThan(1_000);
  });
});

describe('a search in the ledger', () => {
  it('ends with whoever asked for it, with nothing found', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (let serial = 1; serial <= 20; serial += 1) await ledger.append(release(serial));
    await closeLedger(ledger);
    const asked = new AbortController();
    asked.abort();
    const found: bigint[] = [];
    for await (const { seq } of queryLedger(dir, {}, { limit: 10, signal: asked.signal })) found.push(seq);
    expect(found).toEqual([]);
  });

  it('for one uid finds no other whose number begins alike', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    for (const uid of [1, 10, 100, 1]) await ledger.append(release(uid, { caller: { uid, gid: 1, pid: 1 } }));
    await closeLedger(ledger);
    // A line that only quotes the needle is no record of that uid.
    appendFileSync(
      join(dir, 'signatures.log'),
      `{"v":1,"seq":9,"user_reason":",\\"caller\\":{\\"uid\\":1","hash":""}\n`,
    );
    const found: bigint[] = [];
    for await (const { seq } of queryLedger(dir, { uid: 1 }, { limit: 10 })) found.push(seq);
    expect(found).toEqual([1n, 4n]);
  });
});
