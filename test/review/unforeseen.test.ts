import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Client, findings } from '../e2e/support.ts';
import { builtPrograms } from '../support/built.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon } from '../support/daemon.ts';

let house: House | undefined;
let daemon: RunningDaemon | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon = undefined;
  house?.remove();
});

/** In the daemon: SIGUSR2 is a failure that nobody catches. */
const failing = (how: string) => ({ NODE_OPTIONS: `--import data:text/javascript,process.on('SIGUSR2',()=>{${how}})` });

describe('a failure that nobody foresaw', () => {
  it.each([
    ['a promise that nobody waits for', 'unhandledRejection', "Promise.reject(new Error('nobody'))"],
    ['an exception in a callback', 'uncaughtException', "throw(new(Error)('nobody'))"],
  ])('%s ends the daemon with exit code 5 and a line in the log; the ledger conforms', async (_what, origin, how) => {
    house = makeHouse();
    daemon = await startDaemon({ house, env: failing(how.replaceAll(' ', '%20')) });
    const client = await Client.open(daemon.socket);
    await client.sign();
    daemon.signal('SIGUSR2');
    const line = await daemon.waitForLog(({ msg }) => msg === 'unforeseen failure');
    expect(line).toMatchObject({ level: 'fatal', origin, cause: expect.stringContaining('nobody') });
    expect(await daemon.stop('SIGCONT')).toBe(5);
    client.close();
    expect(await findings(house)).toEqual([]);
  });

  it('a log that cannot be written does not end it: certificates go out', async () => {
    house = makeHouse();
    const full = openSync('/dev/full', 'w');
    const child = spawn(
      process.execPath,
      [builtPrograms().wardend, '--config', house.config, '--socket', house.socket, '--state', house.state],
      { stdio: ['ignore', 'ignore', full], env: { PATH: process.env.PATH ?? '', HOME: house.folder } },
    );
    closeSync(full);
    const ended = once(child, 'exit');
    try {
      const client = await firstConnection(house.socket);
      for (let n = 0; n < 3; n += 1) expect((await client.sign()).evidence?.posture).toBe('dev');
      client.close();
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

/** Its log says nothing here, so that the socket is asked until it answers. */
async function firstConnection(socket: string): Promise<Client> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await Client.open(socket);
    } catch (error) {
      if (tries === 400) throw error;
      await pause(25);
    }
  }
}
