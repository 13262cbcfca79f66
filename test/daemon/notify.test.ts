import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { modeOf } from '../../daemon/mode.ts';
import { serviceManager } from '../../daemon/notify.ts';
import { feedWatchdog } from '../../daemon/watchdog.ts';
import { Client } from '../e2e/support.ts';
import { makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';

const receiver = fileURLToPath(new URL('fixtures/datagrams.py', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'warden-notify-'));

/** What a service manager would hear at a socket. */
class Ear {
  readonly heard: string[] = [];
  readonly #child: ChildProcess;
  #woken: () => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('stdout is a pipe');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.heard.push(JSON.parse(line) as string);
      this.#woken();
    });
  }

  static async at(address: string): Promise<Ear> {
    const ear = new Ear(spawn('python3', [receiver, address], { stdio: ['ignore', 'pipe', 'inherit'] }));
    await ear.hears((said) => said === 'bound');
    ear.heard.length = 0;
    return ear;
  }

  async hears(wanted: (said: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.heard.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#woken = resolve;
      });
    }
  }

  close(): void {
    this.#child.kill();
  }
}

let daemon: RunningDaemon | undefined;
let ear: Ear | undefined;
afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
  ear?.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a daemon that a service manager started', () => {
  test.each([
    ['a path', join(folder, 'notify.sock')],
    ['an abstract name', `@warden-notify-${process.pid}`],
  ])('tells its start, life, reloads and end at %s', async (_name, address) => {
    ear = await Ear.at(address);
    const house = makeHouse();
    daemon = await startDaemon({ house, env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '600000' } });
    expect(await ear.hears((said) => said.startsWith('READY=1'))).toBe(
      'READY=1\nSTATUS=dev posture, 3 actors, generation 1\n',
    );
    await ear.hears((said) => said === 'WATCHDOG=1\n');

    ear.heard.length = 0;
    const before = process.hrtime.bigint() / 1000n;
    daemon.signal('SIGHUP');
    const reloading = await ear.hears((said) => said.startsWith('RELOADING=1\nMONOTONIC_USEC='));
    const [, at] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$/.exec(reloading) ?? [];
    expect(BigInt(at ?? 0)).toBeGreaterThanOrEqual(before);
    await ear.hears((said) => said === 'READY=1\nSTATUS=dev posture, 3 actors, generation 1\n');

    // A config that does not hold is a reload that ended, and a status that says so.
    ear.heard.length = 0;
    writeConfig(house, { inventory: 'version: 1\nactors: [{}]\n' });
    const refused = /^READY=1\nSTATUS=.*generation 1; not serving: config \(see warden status\)\n$/;
    await ear.hears((said) => refused.test(said));

    ear.heard.length = 0;
    expect(await daemon.stop()).toBe(0);
    await ear.hears((said) => said.startsWith('STOPPING=1\n'));
    expect(ear.heard.filter((said) => /READY|RELOADING/.test(said))).toEqual([]);
  });

  test('is alive to the watchdog while callers have every connection and every request there is', async () => {
    const address = join(folder, 'busy.sock');
    ear = await Ear.at(address);
    const house = makeHouse({
      warden: 'version: 1\nposture: dev\nlimits: { connections: 8, per_caller_rate: 1/m, per_caller_concurrency: 1 }\n',
    });
    daemon = await startDaemon({ house, env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '600000' } });
    const clients = await Promise.all(Array.from({ length: 7 }, () => Client.open(house.socket)));
    await clients[0]?.status();
    await expect(clients[1]?.status()).rejects.toMatchObject({ reason: 'rate_limited' });
    // The eighth connection of this uid is refused; the daemon's own is none of them.
    await expect(Client.open(house.socket).then((client) => client.status())).rejects.toThrow();
    ear.heard.length = 0;
    for (const _sign of [1, 2, 3]) {
      await ear.hears((said) => said === 'WATCHDOG=1\n');
      ear.heard.length = 0;
    }
    expect(daemon.stderr.filter((line) => line.includes('self-probe failed'))).toEqual([]);
    for (const client of clients) client.close();
  });

  test('hands none of it on: a child could speak for the daemon', () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1', OTHER: 'stays' };
    serviceManager(env, 1, { send: () => {}, onFault: () => {} });
    expect(env).toEqual({ OTHER: 'stays' });
  });
});

describe('the watchdog', () => {
  test.each([
    ['absent', {}, null],
    ['for this process', { WATCHDOG_USEC: '6000000', WATCHDOG_PID: '42' }, 6000],
    ['for whoever reads it', { WATCHDOG_USEC: '1500' }, 1.5],
    ['for another process', { WATCHDOG_USEC: '6000000', WATCHDOG_PID: '43' }, null],
    ['not a number', { WATCHDOG_USEC: '6s' }, null],
    ['zero', { WATCHDOG_USEC: '0' }, null],
  ])('%s', (_name, env, expected) => {
    const manager = serviceManager({ NOTIFY_SOCKET: '/run/x', ...env }, 42, { send: () => {}, onFault: () => {} });
    expect(manager.watchdogMs).toBe(expected);
  });

  test.each(['', 'vsock:2:1', 'relative'])('a manager at %j is none', (address) => {
    const said: string[] = [];
    const manager = serviceManager({ NOTIFY_SOCKET: address, WATCHDOG_USEC: '1000000' }, 1, {
      send: (_to, message) => said.push(message.toString()),
      onFault: () => {},
    });
    manager.ready(() => 'up');
    expect([manager.watchdogMs, said]).toEqual([null, []]);
  });

  test('gets no sign of life from a daemon that does not answer itself, and one again when it does', async () => {
    let answers = false;
    const said: string[] = [];
    const hungry: string[] = [];
    const manager = serviceManager({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '30000' }, 1, {
      send: (_to, message) => said.push(message.toString()),
      onFault: () => {},
    });
    manager.ready(() => 'up');
    await new Promise<void>((resolve) => {
      const stop = feedWatchdog(
        manager,
        async () => {
          if (!answers) throw new Error('no answer');
        },
        (cause) => {
          hungry.push(cause);
          if (hungry.length === 2) {
            expect(said).toEqual(['READY=1\nSTATUS=up\n']);
            answers = true;
            const look = setInterval(() => {
              if (!said.includes('WATCHDOG=1\n')) return;
              clearInterval(look);
              stop();
              resolve();
            }, 5);
          }
        },
      );
    });
    expect(hungry).toEqual(['Error: no answer', 'Error: no answer']);
  });
});

test('what a manager cannot take yet is said later, once and in order', async () => {
  const said: string[] = [];
  let full = 3;
  const faults: string[] = [];
  const manager = serviceManager({ NOTIFY_SOCKET: '/run/x' }, 1, {
    send: (_to, message) => {
      if (full-- > 0) throw Object.assign(new Error('sendto: EAGAIN'), { code: 'EAGAIN' });
      said.push(message.toString());
    },
    onFault: (cause) => faults.push(cause),
  });
  manager.ready(() => 'two\nlines');
  await manager.reloading(async () => {});
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (said.length < 3) return;
      clearInterval(look);
      resolve();
    }, 5);
  });
  expect(said).toEqual(['READY=1\nSTATUS=two lines\n', expect.stringMatching(/^RELOADING=1\nMONO/), said[0]]);
  expect(faults).toEqual([]);
});

test.each([
  ['root', 0, {}, '0::/user.slice/user-0.slice/session-1.scope', 'system'],
  ['a service with a state folder of the system', 998, { STATE_DIRECTORY: '/var/lib/warden' }, '', 'system'],
  ['a service of the system manager', 998, { SYSTEMD_EXEC_PID: '7' }, '0::/system.slice/wardend.service', 'system'],
  ['something inside another service', 998, { SYSTEMD_EXEC_PID: '6' }, '0::/system.slice/runner.service', 'user'],
  [
    'a service of a user manager',
    1000,
    { SYSTEMD_EXEC_PID: '7' },
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/wardend.service',
    'user',
  ],
  [
    'a service of a user manager that is itself a service',
    1000,
    { SYSTEMD_EXEC_PID: '7', MANAGERPID: '5' },
    '0::/system.slice/manager.service/app.slice/wardend.service',
    'user',
  ],
  ['a shell', 1000, {}, '0::/user.slice/user-1000.slice/session-1.scope', 'user'],
] as const)('the mode of %s is %s', (_name, uid, env, cgroup, mode) => {
  expect(modeOf(uid, env, 7, cgroup)).toBe(mode);
});
