import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { type House, startDaemon } from '../support/daemon.ts';
import { Client, findings, houseOf, NO_LIMITS, records } from './support.ts';

const ROUNDS = Number(process.env.WARDEN_KILLS ?? 200);
/** In one state folder, before a fresh one takes its place beside the same CA: reading all of it each time adds up. */
const IN_ONE_FOLDER = 40;
const CALLERS = 8;

interface Received {
  readonly serial: bigint;
  readonly seq: bigint;
}

/** Asks without a pause until the daemon is no more, and says what it got. Any other end fails the test. */
async function askUntilTheEnd(socket: string): Promise<Received[]> {
  const received: Received[] = [];
  try {
    const client = await Client.open(socket);
    for (;;) {
      const { evidence } = await client.sign();
      received.push({ serial: evidence?.serial ?? 0n, seq: evidence?.ledgerSeq ?? 0n });
    }
  } catch (error) {
    if (error instanceof WardenError && error.code === 'daemon_unreachable') return received;
    throw error;
  }
}

/** Starts the daemon, loads it, kills it at a random moment. */
async function round(house: House): Promise<Received[]> {
  const daemon = await startDaemon({ house });
  try {
    expect(await findings(house)).toEqual([]);
    const asking = Array.from({ length: CALLERS }, () => askUntilTheEnd(house.socket));
    await delay(5 + Math.random() * 295);
    await daemon.stop('SIGKILL');
    return (await Promise.all(asking)).flat();
  } finally {
    await daemon.stop('SIGKILL');
  }
}

it(`killed ${ROUNDS} times at random moments under load (WARDEN_KILLS sets how often), no daemon loses the record of a certificate that a client has, nor gives a serial twice`, async () => {
  const house = houseOf('test', NO_LIMITS);
  const serials = new Set<string>();
  let certificates = 0;
  try {
    for (let done = 0; done < ROUNDS; ) {
      const state = `${house.state}-${done}`;
      const here: House = { ...house, state };
      const received: Received[] = [];
      for (let n = 0; n < IN_ONE_FOLDER && done < ROUNDS; n += 1, done += 1) received.push(...(await round(here)));

      const last = await startDaemon({ house: here });
      expect(await last.stop()).toBe(0);
      expect(await findings(here)).toEqual([]);
      const recorded = new Map<string, string | undefined>();
      for (const record of await records(here, { kind: 'sign', outcome: 'ok' })) {
        expect(serials.has(record.serial ?? '')).toBe(false);
        serials.add(record.serial ?? '');
        recorded.set(String(record.seq), record.serial);
      }
      for (const { serial, seq } of received) expect(recorded.get(String(seq))).toBe(String(serial));
      certificates += received.length;
    }
    expect(certificates).toBeGreaterThan(ROUNDS);
  } finally {
    house.remove();
  }
}, 1_200_000);
