import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCertificateLine } from '../../src/ssh/certificate.ts';
import { Client, findings, houseOf, recordOf, refusalOf } from '../e2e/support.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';

/** Debian's package has it below the machine's own multiarch folder. */
const library = readdirSync('/usr/lib')
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));

let house: House;
let daemon: RunningDaemon;
let client: Client;
const serials: bigint[] = [];

const faked = (): Record<string, string> => {
  if (library === undefined) throw new Error('libfaketime is missing: apt-get install libfaketime');
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: join(house.folder, 'offset'),
    FAKETIME_NO_CACHE: '1',
    // As on a machine whose clock is set: time since boot goes on.
    DONT_FAKE_MONOTONIC: '1',
  };
};
/** In seconds, from the real time. */
const jumpTo = (offset: number): void =>
  writeFileSync(join(house.folder, 'offset'), `${offset < 0 ? '' : '+'}${offset}`);

beforeAll(async () => {
  house = houseOf('test', 'limits: { per_caller_rate: 30/s }\n');
  jumpTo(0);
  daemon = await startDaemon({ house, env: faked() });
  client = await Client.open(house.socket);
}, 30_000);
afterAll(async () => {
  client?.close();
  await daemon?.stop('SIGKILL');
  house?.remove();
});

const DAY = 86_400;
const rows: readonly (readonly [string, number])[] = [
  ['where nothing has happened', 0],
  ['two days ahead', 2 * DAY],
  ['back again, behind what was signed before', 0],
  ['three days back', -3 * DAY],
  ['a year ahead', 365 * DAY],
  ['back to the present', 0],
];

describe('the clock of the machine jumps', () => {
  it.each(rows)('%s: validity follows, serials rise, the ledger goes on', async (_name, offset) => {
    jumpTo(offset);
    const { certificate, evidence } = await client.sign({ ttlSeconds: 3_600n });
    const parsed = parseCertificateLine(certificate);
    const now = Date.now() / 1000 + offset;
    expect(Math.abs(Number(parsed.validAfter) + 60 - now)).toBeLessThan(30);
    expect(parsed.validBefore - parsed.validAfter).toBe(3_660n);
    expect(parsed.serial).toBeGreaterThan(serials.at(-1) ?? 0n);
    serials.push(parsed.serial);
    const record = await recordOf(house, String(evidence?.ledgerSeq));
    expect(record).toMatchObject({ outcome: 'ok', serial: String(parsed.serial) });
    expect(Math.abs(Date.parse(String(record?.time)) / 1000 - now)).toBeLessThan(30);
    expect(await client.health('')).toBe('SERVING');
    expect(await findings(house)).toEqual([]);
  });

  it('and a rate is held to real seconds, whatever the clock says', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 300 }, (_, n) => {
        jumpTo(n % 2 === 0 ? DAY : -DAY);
        return client.sign();
      }),
    );
    const refused = answers.filter(({ status }) => status === 'rejected').length;
    expect(refused).toBeGreaterThan(100);
    jumpTo(0);
  });

  it('a restart after the clock went back still gives no serial twice', async () => {
    jumpTo(-30 * DAY);
    client.close();
    expect(await daemon.stop()).toBe(0);
    daemon = await startDaemon({ house, env: faked() });
    client = await Client.open(house.socket);
    const { evidence } = await client.sign();
    expect(evidence?.serial).toBeGreaterThan(serials.at(-1) ?? 0n);
    expect(await findings(house)).toEqual([]);
    expect((await refusalOf(client.sign({ ttlSeconds: 999n * 3600n }))).reason).toBe('ttl_out_of_bounds');
  });
});
