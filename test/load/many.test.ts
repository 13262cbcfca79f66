import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client, findings, houseOf, NO_LIMITS } from '../e2e/support.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon | undefined;
let house: House | undefined;
const clients: Client[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await daemon?.stop('SIGKILL');
  house?.remove();
});

async function start(limits: string, through: readonly string[] = []): Promise<RunningDaemon> {
  house = houseOf('dev', limits);
  daemon = await startDaemon({ house, through });
  return daemon;
}

async function open({ socket }: RunningDaemon): Promise<Client> {
  const client = await Client.open(socket);
  clients.push(client);
  return client;
}

/** Resident memory in MiB. */
function residentOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

describe('a thousand connections', () => {
  it('are all served, cost a bounded amount of memory, and leave nothing behind', async () => {
    const here = await start(`${NO_LIMITS.trimEnd().replace(' }', ', connections: 2048 }')}\n`);
    const watcher = await open(here);
    await watcher.sign();
    const before = { descriptors: readdirSync(`/proc/${here.pid}/fd`).length, resident: residentOf(here.pid) };
    const many: Client[] = [];
    for (let n = 0; n < 1_000; n += 50) {
      many.push(...(await Promise.all(Array.from({ length: 50 }, () => Client.open(here.socket)))));
    }
    const serials = await Promise.all(many.map(async (client) => (await client.sign()).evidence?.serial));
    expect(new Set(serials).size).toBe(1_000);
    expect((await watcher.status()).connections).toBe(1_001);
    // Some 200 KiB for a connection and its session; a leak of their buffers would be far beyond that.
    expect(residentOf(here.pid) - before.resident).toBeLessThan(500);
    for (const client of many) client.close();
    await watcher.statusBecomes(({ connections }) => connections <= 2);
    expect(readdirSync(`/proc/${here.pid}/fd`).length).toBeLessThanOrEqual(before.descriptors + 2);
    expect(await findings(here.house)).toEqual([]);
  }, 120_000);
});

describe('a daemon that is out of descriptors', () => {
  it('goes on serving who is connected, cuts others off, and takes new ones once there is room', async () => {
    const here = await start(NO_LIMITS, ['prlimit', '--nofile=96:96']);
    const client = await open(here);
    await client.sign();
    const ended: Promise<void>[] = [];
    for (let n = 0; n < 200; n++) {
      const socket = connect(here.socket);
      sockets.push(socket);
      socket.on('error', () => {});
      ended.push(new Promise((resolve) => socket.once('close', () => resolve())));
      await new Promise<void>((resolve) => {
        socket.once('connect', () => resolve());
        socket.once('close', () => resolve());
      });
    }
    // More than there are descriptors for: some of them are cut off.
    await Promise.any(ended);
    const { evidence } = await client.sign();
    expect(evidence?.posture).toBe('dev');
    for (const socket of sockets.splice(0)) socket.destroy();
    await client.statusBecomes(({ connections }) => connections <= 2);
    const next = await open(here);
    expect((await next.sign()).evidence?.ledgerSeq).toBeGreaterThan(evidence?.ledgerSeq ?? 0n);
    expect(await client.health('ledger')).toBe('SERVING');
    expect(await here.stop()).toBe(0);
    expect(await findings(here.house)).toEqual([]);
  }, 60_000);
});
