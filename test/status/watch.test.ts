import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Tmux } from '../support/tmux.ts';

const house: House = makeHouse();
let daemon: RunningDaemon;
let tmux: Tmux;
const WATCH = `${process.execPath} ${builtPrograms().warden} status --watch`;

beforeAll(async () => {
  daemon = await startDaemon({ house });
  tmux = new Tmux({ columns: 110, rows: 30 }, { WARDEN_SOCKET: house.socket });
});

afterAll(async () => {
  await tmux.close();
  await daemon.stop('SIGKILL');
  house.remove();
});

describe('$ warden status --watch, at a terminal', () => {
  test('draws in place, in the size that the window has', async () => {
    tmux.type('echo before');
    await tmux.shows(/^before$/m);
    tmux.type(WATCH);
    const wide = await tmux.shows(/live \d\d:\d\d:\d\d/);
    expect(wide).toMatch(/^live .*\nwardend \d+\.\d+\.\d+ · dev · \w+ mode · pid \d+, since /);
    expect(wide).toMatch(/\n {2}serving +ledger: durable\n/);
    expect(wide).not.toContain('before');
    tmux.resize(50, 10);
    const small = await tmux.shows(/more lines; make the window taller/);
    const lines = small.trimEnd().split('\n');
    expect(lines.length).toBe(10);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
    tmux.resize(110, 30);
    await tmux.shows(/no change since the view was opened/);
  });

  test('colours what serves, and shows what changes', async () => {
    expect(await tmux.shows(/serving/, { colours: true })).toContain('\u001b[32mserving');
    writeConfig(house, { inventory: 'version: 1\nactors: [{ name: agt-x }]\n' });
    expect(await tmux.shows(/config serving → not serving/)).toMatch(/not in force: inventory\.yaml:/);
    writeConfig(house, {});
    await tmux.shows(/config not serving → serving/);
  });

  test('says that the daemon went away, waits for it, and says that it is back', async () => {
    const former = daemon.pid;
    await daemon.stop();
    await tmux.shows(/^LOST for \d+ s: .*; trying again/m);
    daemon = await startDaemon({ house });
    const back = await tmux.shows(/^live /m);
    expect(back).toMatch(new RegExp(`it was started again: pid ${former} → ${daemon.pid}`));
    expect(back).toContain(`the daemon is back: pid ${daemon.pid}`);
  });

  test('a daemon that is frozen is not shown as one that lives', async () => {
    daemon.signal('SIGSTOP');
    try {
      await tmux.shows(/^LOST for .*stopped answering/m);
    } finally {
      daemon.signal('SIGCONT');
    }
    await tmux.shows(/^live /m);
  });

  test('is put aside with control-Z and comes back with fg', async () => {
    tmux.type('C-z', { enter: false });
    expect(await tmux.shows(/Stopped/)).toMatch(/^before$/m);
    tmux.type('fg');
    await tmux.shows(/^live /m);
  });

  test('control-C gives back the screen as it was, and ends it as the signal does', async () => {
    tmux.type('C-c', { enter: false });
    await tmux.shows(/^before$/m);
    tmux.type('echo "code $?"; stty -a | grep -o " icanon"');
    expect(await tmux.shows(/^code \d+$/m)).toMatch(/^code 130$/m);
    await tmux.shows(/^ icanon$/m);
  });

  test('with NO_COLOR there is none, and q ends it with the code of the status', async () => {
    tmux.type(`clear; NO_COLOR=1 ${WATCH}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what colours begin with
    expect(await tmux.shows(/^live /m, { colours: true })).not.toMatch(/\u001b\[3[0-9]m/);
    tmux.type('q', { enter: false });
    await tmux.shows(/^[#$]\s*$/m);
    tmux.type('echo "then $?"');
    await tmux.shows(/^then 0$/m);
  });
});

describe('$ warden status --watch | cat', () => {
  test('is plain lines: the status whole, then a line for each change, across a restart', async () => {
    const child = spawn(process.execPath, [builtPrograms().warden, 'status', '--watch'], {
      env: { PATH: process.env.PATH, WARDEN_SOCKET: house.socket, TERM: 'xterm' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const seen: string[] = [];
    let hear = (): void => {};
    createInterface({ input: child.stdout }).on('line', (line) => {
      seen.push(line);
      hear();
    });
    const shows = (wanted: RegExp): Promise<void> =>
      new Promise((resolve) => {
        hear = () => seen.some((line) => wanted.test(line)) && resolve();
        hear();
      });
    await shows(/serving +config/);
    expect(seen[0]).toMatch(/^wardend \d/);
    await daemon.stop();
    await shows(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}lost the daemon: .*trying again$/);
    daemon = await startDaemon({ house });
    await shows(new RegExp(`Z {2}the daemon is back: pid ${daemon.pid}$`));
    await shows(/Z {2}it was started again: pid \d+ → \d+$/);
    expect(seen.join('')).not.toContain('\u001b');
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
  });

  test('--json says `lost` in an object of its own', async () => {
    const child = spawn(process.execPath, [builtPrograms().warden, 'status', '--watch', '--json'], {
      env: { PATH: process.env.PATH, WARDEN_SOCKET: house.socket },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (wanted: string): Promise<Record<string, unknown>> => {
      for (;;) {
        const object = JSON.parse((await lines.next()).value as string) as Record<string, unknown>;
        if (wanted in object) return object;
      }
    };
    expect((await next('pid')).pid).toBe(daemon.pid);
    await daemon.stop();
    expect(await next('lost')).toMatchObject({ lost: { message: expect.any(String), hint: expect.any(String) } });
    daemon = await startDaemon({ house });
    expect((await next('pid')).pid).toBe(daemon.pid);
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
  });

  test('a daemon that never was there is not waited for', async () => {
    const child = spawn(process.execPath, [builtPrograms().warden, 'status', '--watch'], {
      env: { PATH: process.env.PATH, WARDEN_SOCKET: `${house.socket}.none` },
      stdio: 'ignore',
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(3);
  });
});
