import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';

let daemon: RunningDaemon;
let home: string;

beforeAll(async () => {
  daemon = await startDaemon();
  home = mkdtempSync(join(tmpdir(), 'warden-commands-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'key')]);
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(home, { recursive: true, force: true });
});

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { cwd: home, ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });

describe('$ warden ca', () => {
  test('prints the key with what sshd needs', async () => {
    const result = await run('ca');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(
      /^# current · SHA256:\S+ · local · key in file · since \d{4}-\d\d-\d\d\nssh-ed25519 \S+ synthetic-ca-test\n/,
    );
    expect(result.stdout).toContain('\nTrustedUserCAKeys /etc/ssh/warden_ca.pub\n');
    expect(result.stdout).toContain('\nAuthorizedPrincipalsFile /etc/ssh/auth_principals/%u\n');
  });

  test('--quiet prints key lines only, and --json one object', async () => {
    const { stdout } = await run('ca --quiet');
    expect(stdout).toMatch(/^ssh-ed25519 \S+ synthetic-ca-test\n$/);
    expect(json(await run('ca --json'))).toEqual({
      posture: 'dev',
      authorities: [
        {
          public_key: stdout.trim(),
          fingerprint: expect.stringMatching(/^SHA256:/),
          state: 'current',
          backend: 'local',
          custody: 'file',
          since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        },
      ],
    });
  });
});

describe('$ warden actors', () => {
  test('an administrator sees all, with what is its own marked', async () => {
    const { stdout } = await run('actors');
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expect(rows).toEqual([
      ['ACTOR', 'TTL', 'MAX', 'MATURITY', 'YOURS', 'PRINCIPALS'],
      ['adm-tester', '8h', '24h', 'M0', 'yes', 'tester'],
      ['agt-foreign', '8h', '24h', 'M0', 'no', 'agt-foreign'],
      ['agt-test', '1h', '8h', 'M0', 'yes', 'agt-test', 'agt-other'],
    ]);
  });

  test('--quiet names the usable ones, and --json tells everything', async () => {
    expect((await run('actors --quiet')).stdout).toBe('adm-tester\nagt-test\n');
    const { actors } = json(await run('actors --json')) as { actors: Record<string, unknown>[] };
    expect(actors).toContainEqual({
      name: 'agt-test',
      type: 'agt',
      principals: ['agt-test', 'agt-other'],
      ttl_seconds: 3600,
      max_ttl_seconds: 28800,
      maturity: 'M0',
      tenant: 'tenant:platform',
      allowed_subjects: ['agt-test', 'iam:agt-test'],
      usable: true,
    });
  });
});

describe('$ warden status', () => {
  test('says what runs and how it is, with code 0', async () => {
    const result = await run('status');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^wardend \d+\.\d+\.\d+ · dev · \w+ mode · pid \d+, since /);
    expect(result.stdout).toMatch(/\n {2}serving +ca/);
    expect(result.stdout).toMatch(/\n {2}serving +ledger/);
  });

  test('--json has the names of the wire in snake case', async () => {
    expect(json(await run('status --json'))).toMatchObject({
      posture: 'dev',
      pid: daemon.pid,
      snapshot: { generation: expect.any(Number), actors: 3, problems: [] },
      ledger: { writable: true },
      config_dir: daemon.house.config,
      state_dir: daemon.house.state,
    });
  });

  test('--watch prints again when something changes, until it is interrupted', async () => {
    const child = spawn(process.execPath, [builtPrograms().warden, 'status', '--watch', '--json'], {
      env: { PATH: process.env.PATH, WARDEN_SOCKET: daemon.socket },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () =>
      JSON.parse((await lines.next()).value as string) as { snapshot: { generation: number; actors: number } };
    const first = await next();
    writeConfig(daemon.house, {
      inventory: `${plainInventory()}  - { name: agt-new, type: agt, principals: [agt-new] }\n`,
    });
    let later = await next();
    while (later.snapshot.generation === first.snapshot.generation) later = await next();
    expect(later.snapshot.actors).toBe(first.snapshot.actors + 1);
    const ended = new Promise((resolve) => child.once('close', (_code, signal) => resolve(signal)));
    child.kill('SIGINT');
    expect(await ended).toBe('SIGINT');
  });
});

describe('$ warden explain sign', () => {
  test('every step of a sign that would pass', async () => {
    const result = await run('explain sign agt-test --pubkey key.pub');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^ {2}ok {2}caller +uid \d+/);
    expect(result.stdout).toMatch(/\nallowed\n {2}why: request [0-9a-f-]{36}\n$/);
  });

  test('the step that says no, what it needed, and code 1', async () => {
    const result = await run('explain sign agt-test --pubkey key.pub --ttl 999');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(result.stdout).toMatch(/\n {2}NO {2}\w+ +.*\n {8}needed: /);
    expect(result.stdout).toContain('why: ttl_out_of_bounds · request ');
  });

  test('without any key the answer says that one is missing', async () => {
    const result = await run('explain sign agt-test --json');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(json(result)).toMatchObject({ verdict: 'refused', reason: 'public_key_malformed' });
  });

  test('nothing is signed and nothing is recorded', async () => {
    const count = async () => (json(await run('status --json')) as { ledger: { seq: number } }).ledger.seq;
    const before = await count();
    await run('explain sign agt-test --pubkey key.pub');
    expect(await count()).toBe(before);
  });
});

describe('$ warden reload', () => {
  test('says who gained what, and names problems with code 2', async () => {
    writeConfig(daemon.house, { inventory: 'version: 1\nactors: [{ name: agt-x }]\n' });
    const bad = await run('reload');
    expect(bad.code).toBe(2);
    expect(bad.stderr).toMatch(/problem: inventory\.yaml:2:.*\n {2}write: /);
    expect(bad.stderr).toMatch(/generation \d+ stays in force/);
    // The other way to name a place: a whole file's has no line 0.
    chmodSync(join(daemon.house.config, 'inventory.yaml'), 0o666);
    expect((await run('reload')).stderr).toMatch(/problem: inventory\.yaml: writable by .*\n {2}write: chmod /);
    expect((await run('status')).stdout).toMatch(/ {2}not in force: inventory\.yaml: writable by /);
    chmodSync(join(daemon.house.config, 'inventory.yaml'), 0o600);
    writeConfig(daemon.house, {});
    const good = await run('reload');
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toMatch(/generation \d+ (?:is in force|stays)/);
  });
});

describe('$ warden break-glass', () => {
  test.each([
    ['without a reason', 'break-glass --for 30m', '--reason TEXT'],
    ['without a time', 'break-glass --reason x', '--for TIME'],
    ['with a time that is none', 'break-glass --reason x --for ever', 'is no duration'],
    ['without a terminal', 'break-glass --reason x --for 30m', 'wants a person at a terminal'],
    ['closing for a time', 'break-glass --reason x --for 30m --close', 'exclude each other'],
  ])('%s is a usage error', async (_name, args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('at a terminal, but not named in the config: refused and recorded', () => {
    const command = `WARDEN_SOCKET='${daemon.socket}' '${process.execPath}' '${builtPrograms().warden}' break-glass --reason drill --for 30m`;
    let output = '';
    let code = 0;
    try {
      output = execFileSync('script', ['-qefc', command, '/dev/null'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      ({ status: code, stdout: output } = error as { status: number; stdout: string });
    }
    expect(output).toContain('why: break_glass_forbidden');
    expect(code).toBe(1);
    // On a terminal the error has its colours.
    expect(output).toContain('\u001b[31mrefused:\u001b[0m');
  });
});

describe('break-glass that the config allows', () => {
  test('opens for the time asked for, shows in status, and closes', async () => {
    const uid = process.getuid?.() ?? 0;
    const glass = `policy: { enabled: true, break_glass: { callers: [{ uid: ${uid} }], max: 1h } }\n`;
    const other = await startDaemon({ warden: `version: 1\nposture: dev\n${glass}` });
    const bundle = builtPrograms().warden;
    const atTerminal = (args: string): string =>
      execFileSync(
        'script',
        ['-qefc', `NO_COLOR=1 WARDEN_SOCKET='${other.socket}' '${process.execPath}' '${bundle}' ${args}`, '/dev/null'],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    expect(atTerminal('break-glass --reason drill --for 30m')).toMatch(
      /^break-glass is open until \d{4}-\S+ \S+Z · ledger \d+\r\n/,
    );
    const status = async () => (await run('status', { env: { WARDEN_SOCKET: other.socket } })).stdout;
    expect(await status()).toMatch(/BREAK-GLASS OPEN until /);
    expect(atTerminal('break-glass --reason over --close')).toMatch(/^the gate is closed again · ledger \d+\r\n$/);
    expect(await status()).not.toContain('BREAK-GLASS OPEN');
    await other.stop();
    other.house.remove();
  });
});

describe('colour', () => {
  const onTerminal = (env: string): string => {
    const command = `${env} WARDEN_SOCKET='${daemon.socket}' '${process.execPath}' '${builtPrograms().warden}' status`;
    return execFileSync('script', ['-qefc', command, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  test('on a terminal only, and not with NO_COLOR or on a dumb one', async () => {
    expect(onTerminal('TERM=xterm')).toContain('\u001b[1mwardend');
    expect(onTerminal('TERM=xterm NO_COLOR=1')).not.toContain('\u001b');
    expect(onTerminal('TERM=dumb')).not.toContain('\u001b');
    expect((await run('status')).stdout).not.toContain('\u001b');
  });
});
