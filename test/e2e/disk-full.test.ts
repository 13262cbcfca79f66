import { appendFileSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { RpcError } from '../../src/rpc/client/rpc-error.ts';
import type { SignResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { Client, clear, findings, houseOf, isRoot, NO_LIMITS, records, refusalOf, run } from './support.ts';

let house: House | undefined;
let daemon: RunningDaemon | undefined;
let mounted: string | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  if (mounted !== undefined) await run('umount', ['--lazy', mounted]);
  mounted = undefined;
  await clear(undefined, house);
});

/** A house whose state folder lies on a disk of its own, half a megabyte of it. */
async function onSmallDisk(posture: 'dev' | 'test' | 'prod'): Promise<House> {
  const made = houseOf(posture, NO_LIMITS);
  house = made;
  const disk = join(made.folder, 'disk');
  mkdirSync(disk);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'warden-test', disk]);
  mounted = disk;
  return { ...made, state: join(disk, 'state') };
}

/** To the last byte. */
function fill(disk: string): string {
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, '');
  try {
    for (;;) appendFileSync(ballast, Buffer.alloc(512));
  } catch (thrown) {
    expect((thrown as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
  expect(statfsSync(disk).bavail).toBe(0);
  return ballast;
}

/** What is left of the last block takes some records; then one does not fit. */
async function signUntilRefused(client: Client): Promise<{ released: SignResponse[]; refused: RpcError }> {
  const released: SignResponse[] = [];
  for (;;) {
    const answer = client.sign();
    const response = await answer.catch(() => null);
    if (response === null) return { released, refused: await refusalOf(answer) };
    released.push(response);
  }
}

describe('where the disk of the ledger is full', () => {
  it.each(['dev', 'test', 'prod'] as const)(
    'a %s daemon releases nothing, says so, and goes on by itself once there is space',
    async (posture) => {
      if (!isRoot) throw new Error('this test mounts a small tmpfs and needs root for it');
      const here = await onSmallDisk(posture);
      daemon = await startDaemon({ house: here });
      const client = await Client.open(here.socket);
      const first = await client.sign();
      expect(await client.health('ledger')).toBe('SERVING');
      const ballast = fill(join(here.folder, 'disk'));

      const { released, refused } = await signUntilRefused(client);
      released.unshift(first);
      expect(refused).toMatchObject({ status: 14, reason: 'ledger_unavailable' });
      expect(refused.message).toMatch(/ledger/);
      expect(refused.hint).toMatch(/disk|space|room/);
      expect(refused.details.ledgerSeq).toBeUndefined();
      expect(await client.health('ledger')).toBe('NOT_SERVING');
      // The daemon as a whole goes on: it refuses, and says why.
      expect(await client.health('')).toBe('SERVING');
      const status = await client.status();
      expect(status.ledger?.writable).toBe(false);
      expect(status.dependencies.find(({ name }) => name === 'ledger')).toMatchObject({ state: 'not_serving' });
      for (const again of await Promise.all(Array.from({ length: 20 }, () => refusalOf(client.sign())))) {
        expect(again).toMatchObject({ status: 14, reason: 'ledger_unavailable' });
      }
      // A refusal stands for its own reason, whether or not it can be written down.
      expect(await refusalOf(client.sign({ ttlSeconds: 999n * 3600n }))).toMatchObject({ reason: 'ttl_out_of_bounds' });
      expect(await refusalOf(client.sign({ actor: 'agt-foreign' }))).toMatchObject({ reason: 'caller_not_allowed' });
      const before = readFileSync(join(here.state, 'signatures.log'), 'utf8');
      expect(before.endsWith('\n')).toBe(true);

      rmSync(ballast);
      const next = await client.sign();
      expect(await client.health('ledger')).toBe('SERVING');
      expect((await client.status()).ledger?.writable).toBe(true);
      client.close();
      expect(await daemon.stop()).toBe(0);
      expect(await findings(here)).toEqual([]);
      const recorded = (await records(here, { kind: 'sign', outcome: 'ok' })).map(({ serial }) => serial);
      expect(recorded).toEqual([...released, next].map(({ evidence }) => String(evidence?.serial)));
    },
  );

  it('a daemon stops in order, starts again, refuses, and recovers without another restart', async () => {
    if (!isRoot) throw new Error('this test mounts a small tmpfs and needs root for it');
    const here = await onSmallDisk('test');
    daemon = await startDaemon({ house: here });
    const before = await Client.open(here.socket);
    const ballast = fill(join(here.folder, 'disk'));
    expect((await signUntilRefused(before)).refused).toMatchObject({ reason: 'ledger_unavailable' });
    before.close();
    expect(await daemon.stop()).toBe(0);

    daemon = await startDaemon({ house: here });
    const client = await Client.open(here.socket);
    // The record of the start is shorter than that of a release: it may have fitted.
    expect((await signUntilRefused(client)).refused).toMatchObject({ status: 14, reason: 'ledger_unavailable' });
    expect(await client.health('ledger')).toBe('NOT_SERVING');
    expect(await client.health('')).toBe('SERVING');
    rmSync(ballast);
    expect((await client.sign()).evidence?.ledgerSeq).toBeGreaterThan(0n);
    expect(await client.health('ledger')).toBe('SERVING');
    client.close();
    expect(await daemon.stop()).toBe(0);
    expect(await findings(here)).toEqual([]);
  });
});
