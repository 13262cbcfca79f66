import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, npmEnv } from '../support/checkout.ts';
import { boot, type MachineEnd, missing } from './machine.ts';

const run = promisify(execFile);
const newer = fileURLToPath(new URL('../../.cache/systemd-newer', import.meta.url));
const steps = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const PACK_MS = 240_000;
const NOTIFY_RELOAD_SINCE = 253;
/** Without a real systemd nothing here says anything, so that leaving it out has to be asked for. */
const skipped = process.env.WARDEN_TEST_SYSTEMD === 'skip';
if (skipped) console.warn('WARDEN_TEST_SYSTEMD=skip: nothing of systemd is tested');

/** What the machine said, by step. */
class Said {
  readonly #end: MachineEnd;

  constructor(end: MachineEnd) {
    this.#end = end;
  }

  get whole(): string {
    return [...this.#end.out].map(([name, text]) => `== ${name}\n${text}`).join('\n');
  }

  out(step: string): string {
    const text = this.#end.out.get(`${step}.out`);
    if (text === undefined) throw new Error(`the machine did not come to ${step}:\n${this.whole}`);
    return text;
  }

  code(step: string): number {
    return Number(this.#end.out.get(`${step}.code`)?.trim() ?? Number.NaN);
  }
}

describe.skipIf(skipped)('under a real systemd, with the package installed as a user would', () => {
  let folder: string;
  let tree: string;

  beforeAll(async () => {
    const lacks = missing();
    if (lacks.length > 0) {
      throw new Error(
        `this host cannot boot systemd in namespaces; missing: ${lacks.join('; ')}. WARDEN_TEST_SYSTEMD=skip leaves these tests out.`,
      );
    }
    folder = mkdtempSync(join(tmpdir(), 'warden-packed-'));
    const sources = checkout();
    try {
      await run('npm', ['pack', '--pack-destination', folder], { cwd: sources.folder, env: npmEnv(folder) });
    } finally {
      sources.remove();
    }
    tree = join(folder, 'tree');
    const { stdout } = await run('bash', ['-c', `echo ${folder}/*.tgz`]);
    const prefix = join(tree, 'usr', 'local');
    await run('npm', ['install', '--global', '--prefix', prefix, stdout.trim()], { cwd: folder, env: npmEnv(folder) });
  }, PACK_MS);
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  describe('the one of this host', () => {
    let said: Said;
    beforeAll(async () => {
      said = new Said(await boot({ layers: [tree], steps: steps('steps.sh'), seconds: 180 }));
    }, 210_000);

    const hasNotifyReload = (): boolean =>
      Number(/^systemd (\d+)/.exec(said.out('systemd-version'))?.[1] ?? 0) >= NOTIFY_RELOAD_SINCE;

    test('warden install shows what it would do, and --dry-run leaves no trace', () => {
      expect(said.code('dry-run')).toBe(0);
      const shown = said.out('dry-run');
      for (const line of [
        /^ {2}user +warden /m,
        /^ {2}folder +\/etc\/warden +0750, group warden$/m,
        /^ {2}file +\/etc\/warden\/ca_ed25519 +0600: the CA private key/m,
        /^ {2}file +\/etc\/warden\/ca_ed25519\.pub +0644, group warden: its public half, made at install$/m,
        /^ {2}file +\/etc\/systemd\/system\/wardend\.service +0644: unit$/m,
        /^ {2}file +\/etc\/systemd\/system\/wardend-spawner\.socket +0644: unit$/m,
        /^ {2}run +systemctl enable --now .*wardend\.socket/m,
        /^nothing was done: --dry-run$/m,
      ]) {
        expect(shown).toMatch(line);
      }
      expect(said.out('dry-run-traces')).toBe('');
    });

    test.each([
      ['without a posture where there is no config', 'install-without-posture', /no config in \/etc\/warden/],
      ['for the machine by somebody else than root', 'install-as-user', /takes root\n.*\n {2}do: sudo warden install/],
      ['for root alone', 'root-user', /its folders are the machine's/],
      ['for a user whom no systemd serves', 'user-without-manager', /no systemd runs for this user/],
    ])('warden install refuses %s', (_name, step, says) => {
      expect(said.code(step)).toBe(2);
      expect(said.out(step)).toMatch(says);
    });

    test('installed, service and sockets are active, and systemd-analyze verify has nothing to say', () => {
      expect([said.code('install'), said.out('active')]).toEqual([0, 'active\nactive\nactive\nactive\n']);
      expect([said.code('verify'), said.out('verify')]).toEqual([0, '']);
      expect(said.out('type').trim()).toBe(hasNotifyReload() ? 'notify-reload' : 'notify');
    });

    test('the CA key is readable by root alone, config by the daemon, state and sockets are its own', () => {
      expect(said.out('config-modes').trim().split('\n')).toEqual([
        '/etc/warden root:warden 750',
        '/etc/warden/ca_ed25519 root:root 600',
        '/etc/warden/warden.yaml root:warden 640',
        '/var/lib/warden warden:warden 700',
        '/run/warden warden:warden 750',
        '/run/warden/wardend.sock warden:warden 660',
        '/run/warden/credentials.sock warden:warden 600',
        '/run/warden/spawner.sock warden:warden 600',
      ]);
    });

    test('its exposure is at most 2.0; the spawner has a figure of its own', () => {
      const level = (step: string): number => Number(/exposure level for \S+: ([\d.]+)/.exec(said.out(step))?.[1]);
      expect(level('security')).toBeLessThanOrEqual(2);
      expect(level('security-spawner')).toBeGreaterThan(2);
    });

    test('it runs unprivileged but for seeing what runs, and hands that on to nobody', () => {
      const facts = Object.fromEntries(
        said
          .out('process')
          .trim()
          .split('\n')
          .map((line) => line.split(/:\s+/)),
      );
      const [uid] = (facts.Uid ?? '').split('\t');
      expect(Number(uid)).toBeGreaterThan(0);
      // CAP_SYS_PTRACE is number 19.
      expect(facts).toMatchObject({
        CapEff: '0000000000080000',
        CapAmb: '0000000000000000',
        NoNewPrivs: '1',
        Seccomp: '2',
      });
    });

    test('its sandbox holds: what a daemon in other hands would try fails, what it needs works', () => {
      expect(said.code('intruder-ran')).toBe(0);
      expect(said.out('intruder').trim().split('\n')).toEqual([
        'write to /usr Read-only file system',
        'write its config Read-only file system',
        'read the CA key Permission denied',
        'attach to pid 1 Operation not permitted',
        'read the memory of pid 1 by a call Operation not permitted',
        'make a user namespace Operation not permitted',
        'become root Operation not permitted',
        'open a netlink socket Address family not supported by protocol',
        'open a packet socket Address family not supported by protocol',
        'look into a home possible',
        'write to its state possible',
        'see who runs as root possible',
      ]);
    });

    test('warden doctor finds nothing to mend in either installation', () => {
      expect([said.code('doctor'), said.out('doctor')]).toEqual([0, expect.stringMatching(/\nhealthy\n$/)]);
      expect([said.code('user-doctor'), said.out('user-doctor')]).toEqual([0, expect.stringMatching(/\nhealthy\n$/)]);
    });

    test('systemctl reload puts a config in force, and a bad one leaves it and shows in the status', () => {
      expect([said.code('reload'), said.out('generation').trim()]).toEqual([0, '2']);
      if (hasNotifyReload()) expect(said.out('generation-after-reload').trim()).toBe('2');
      expect(said.out('status-bad').trim()).toBe(
        'dev posture, 3 actors, generation 2; not serving: config (see warden status)',
      );
      expect(said.out('status-good').trim()).toBe('dev posture, 3 actors, generation 2');
      expect(said.out('active-after-reload')).toBe('active\n');
    });

    test('another user is told apart by uid and executable: its actor, and no other', () => {
      expect(said.code('sign')).toBe(0);
      expect(said.out('certificate')).toMatch(/Principals: \n\s+tester\n/);
      expect(said.code('sign-as-other')).toBe(1);
      expect(said.out('sign-as-other')).toMatch(/why: caller_not_allowed · ledger \d+/);
      expect(said.out('fetch')).toMatch(/^synthetic-/);
    });

    test('LoadCredential= gives a unit the value that a fetch gives', () => {
      expect(said.code('app')).toBe(0);
      expect(said.out('credential')).toBe(said.out('fetch'));
    });

    test.each([
      [
        'a unit that no route lists does not start, though nothing in it looks at the credential',
        'stranger',
        1,
        /control process exited/,
      ],
      ['and says that it was for its credentials', 'stranger-status', 0, /^243$/m],
      ['another user does not come to the socket', 'ask-closed', 1, /PermissionError/],
      ['another user who does, under a name like systemd’s, gets no byte', 'ask-tester', 0, /^b''\n$/],
      ['a name that systemd does not give gets no byte', 'ask-nonsense', 0, /^b''\n$/],
    ])('%s', (_name, step, code, says) => {
      expect(said.code(step)).toBe(code);
      expect(said.out(step)).toMatch(says);
    });

    test('each of them is on record: the unit, the actor, and why not', () => {
      const records = said
        .out('fetch-records')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Fetched);
      const seen = records.map(({ outcome, reason, actor, caller, route }) => [
        outcome,
        reason ?? actor,
        caller.uid === 0 ? 'root' : 'tester',
        caller.unit,
        route,
      ]);
      expect(seen).toEqual([
        ['ok', 'agt-tester', 'tester', 'steps.service', 'app-db'],
        ['ok', 'atm-app', 'root', 'app.service', 'app-db'],
        ['refused', 'route_not_allowed', 'root', 'stranger.service', undefined],
        ['refused', 'caller_not_allowed', 'tester', 'steps.service', undefined],
        ['ok', 'atm-app', 'root', 'app.service', 'app-db'],
        ['refused', 'invalid_request', 'root', 'steps.service', undefined],
      ]);
      expect(records[1]?.user_reason).toBe('LoadCredential=db-password of app.service');
    });

    test('warden exec runs a command as its caller, in the spawner’s unit and outside the daemon’s sandbox', () => {
      expect(said.code('exec'), said.out('exec')).toBe(7);
      expect(said.out('exec').trim().split('\n')).toEqual([
        'tester',
        said.out('exec-hash').trim(),
        'NoNewPrivs:\t0',
        'Seccomp:\t0',
        expect.stringMatching(/wardend-spawner\.service/),
      ]);
    });

    test.each([
      ['no-new-privileges', 'no_new_privs'],
      ['few-capabilities', 'fewer capabilities'],
      ['own-tmp', 'another mnt namespace'],
    ])('warden exec is no way out of a sandbox: %s', (step, why) => {
      expect(said.code('unconfined'), said.out('unconfined-said')).toBe(0);
      expect(said.code(step)).toBe(1);
      expect(said.out(`${step}-said`)).toMatch(/why: caller_confined/);
      expect(said.out(`${step}-said`)).toContain(why);
    });

    test('the spawner starts on demand, and answers the user of wardend alone, root neither', () => {
      expect(said.out('knock-tester')).toMatch(/PermissionError/);
      expect(said.out('knock-root')).toMatch(/^(b''|ConnectionResetError)\n$/);
      expect(said.out('spawner-active')).toBe('active\n');
      expect(said.out('spawner-journal')).toMatch(
        /"msg":"connection refused","uid":0,.*"why":"it is not the user of wardend"/,
      );
    });

    test('a second daemon finds the state folder and the socket in use, and two that race find it both', () => {
      expect(said.code('second-state')).toBe(4);
      expect(said.out('second-state')).toMatch(
        /the state folder \/var\/lib\/warden is in use by the wardend with pid \d+\n/,
      );
      expect(said.out('second-socket').match(/the socket \/run\/warden\/wardend\.sock is in use/g)).toHaveLength(2);
      expect(said.out('second-socket')).toMatch(/codes 4 4\n$/);
    });

    test('three restarts while two callers ask without a pause: none refused', () => {
      const [, count] = /^ +(\d+) ok\n$/.exec(said.out('restarts')) ?? [];
      expect(Number(count), said.out('restarts')).toBeGreaterThan(6);
    });

    test('an upgrade of the running daemon while two callers ask without a pause: none refused', () => {
      const [, count] =
        /^ +(\d+) ok\nwarning: the daemon is 9\.9\.9 and .*\nfrom \d+\.\d+\.\d+ to 9\.9\.9\n$/.exec(
          said.out('upgrade'),
        ) ?? [];
      expect(Number(count), said.out('upgrade')).toBeGreaterThan(2);
    });

    test('a restart gives a running command its grace, and who asks meanwhile waits for the next daemon', () => {
      expect(said.out('restart-busy')).toMatch(/^adm-root\nended with 3\nup\n(?:Terminated\n)?asked to end\n/);
    });

    test('it is let live while it answers itself; hung, it is killed by the watchdog and comes back', () => {
      expect(said.code('fed')).toBe(0);
      expect(said.out('watchdog-journal')).toMatch(/Watchdog timeout \(limit 6s\)!/);
      expect(said.code('watchdog')).toBe(0);
      expect(said.out('verify-ledger')).toMatch(/^whole: \d+ records/);
    });

    test('it signs with a CA key that is encrypted on disk (LoadCredentialEncrypted=)', () => {
      expect(said.code('encrypted'), said.out('encrypted')).toBe(0);
      expect(said.code('sign-encrypted'), said.out('sign-encrypted')).toBe(0);
    });

    test('installed again, it keeps the config and writes nothing', () => {
      expect(said.code('install-again')).toBe(0);
      expect(said.out('install-again')).toMatch(/^ {2}stays +\/etc\/warden\/warden\.yaml +your config$/m);
      expect(said.out('install-again')).not.toMatch(/^ {2}(file|replace|user|folder) /m);
    });

    test('the journal has its lines, and no value', () => {
      const journal = said.out('journal');
      expect(journal).toMatch(/"msg":"ready"/);
      expect(journal).toMatch(/"unit":"app\.service","name":"db-password".*"msg":"credential handed over"/);
      expect(journal).not.toContain(said.out('fetch').trim());
      expect(journal).not.toMatch(/self-probe failed/);
    });

    test('refused credentials are a burst of refusals like any other', () => {
      const burst = said
        .out('journal')
        .split('\n')
        .find((line) => line.includes('"msg":"burst of refusals"'));
      expect(JSON.parse(burst ?? '{}')).toMatchObject({ count: 3, methods: { LoadCredential: expect.any(Number) } });
    });

    test('uninstalled, config and ledger stay until --purge, and after that no trace is left', () => {
      expect(said.code('uninstall')).toBe(0);
      expect(said.out('uninstall')).toMatch(/^ {2}stays +\/var\/lib\/warden +the ledger; --purge removes it$/m);
      expect(said.out('uninstall')).toMatch(/^ {2}stays +user and group warden +it owns what stays$/m);
      expect(said.code('uninstalled-status')).toBe(3);
      expect(said.code('purge'), said.out('purge')).toBe(0);
      expect([said.code('purge-again'), said.out('purge-again')]).toEqual([
        0,
        expect.stringMatching(/^nothing to undo/),
      ]);
      expect(said.out('traces')).toBe('');
    });

    test('for one user: started by the first request, reloaded, installed again, and gone', () => {
      expect(said.code('user-dry-run'), said.out('user-dry-run')).toBe(0);
      expect(said.code('user-install'), said.out('user-install')).toBe(0);
      expect([said.code('user-verify'), said.out('user-verify')]).toEqual([0, '']);
      expect(said.out('user-inactive')).toBe('inactive\n');
      expect(said.code('user-sign'), said.out('user-sign')).toBe(0);
      expect(said.out('user-active')).toBe('active\n');
      expect(JSON.parse(said.out('user-status'))).toMatchObject({
        mode: 'user',
        config_dir: '/home/tester/.config/warden',
      });
      expect([said.code('user-reload'), said.code('user-again'), said.code('user-uninstall')]).toEqual([0, 0, 0]);
      expect(said.code('user-agent'), said.out('user-agent')).toBe(0);
      expect(said.out('user-agent-keys')).toMatch(/\(ED25519-CERT\)/);
      expect(said.out('user-journal')).toMatch(/Status: "dev posture, 1 actors, generation 1"/);
    });
  });

  describe('one that knows Type=notify-reload', () => {
    let said: Said;
    beforeAll(async () => {
      const { stdout } = await run('systemctl', ['--version']);
      const here = Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
      const layers = here >= NOTIFY_RELOAD_SINCE ? [tree] : [tree, newer];
      if (here < NOTIFY_RELOAD_SINCE && !existsSync(join(newer, 'usr', 'lib', 'systemd', 'systemd'))) {
        throw new Error(`systemd ${here} is here, and no newer one in .cache/systemd-newer: node .ci/setup.mjs test`);
      }
      said = new Said(await boot({ layers, steps: steps('steps-newer.sh'), seconds: 90 }));
    }, 120_000);

    test('is what runs there, and has nothing to say of the units', () => {
      expect(Number(/^systemd (\d+)/.exec(said.out('systemd-version'))?.[1])).toBeGreaterThanOrEqual(
        NOTIFY_RELOAD_SINCE,
      );
      expect([said.code('install'), said.out('type').trim()]).toEqual([0, 'notify-reload']);
      expect([said.code('verify'), said.out('verify')]).toEqual([0, '']);
      expect(Number(/exposure level for \S+: ([\d.]+)/.exec(said.out('security'))?.[1])).toBeLessThanOrEqual(2);
    });

    test('the first actor is of whoever typed sudo, not of root', () => {
      expect(said.out('inventory')).toContain('- name: adm-alice\n');
      expect(said.out('inventory')).toContain(`callers: [{ uid: ${said.out('alice-id').trim()} }]`);
    });

    test('systemctl reload comes back when the config is in force, or refused, and the status says which', () => {
      expect([said.code('reload'), said.out('status-after-reload').trim()]).toEqual([
        0,
        'dev posture, 2 actors, generation 2',
      ]);
      expect([said.code('reload-bad'), said.out('status-bad').trim()]).toEqual([
        0,
        'dev posture, 2 actors, generation 2; not serving: config (see warden status)',
      ]);
      expect([said.code('reload-good'), said.out('status-good').trim()]).toEqual([
        0,
        'dev posture, 2 actors, generation 2',
      ]);
      expect(said.out('alive').trim()).toBe('0');
    });

    test('LoadCredential= works, keeps a stranger from starting, and the daemon restarts and goes', () => {
      expect([said.code('app'), said.code('stranger'), said.code('restart'), said.code('purge')]).toEqual([0, 1, 0, 0]);
      expect(said.out('credential')).toMatch(/^synthetic-/);
      expect(said.out('journal')).toMatch(/Reloaded wardend\.service/);
    });
  });
});

interface Fetched {
  readonly outcome: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly caller: { readonly uid: number; readonly unit?: string };
  readonly route?: string;
  readonly user_reason?: string;
}
