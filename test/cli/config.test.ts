import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { actorNameOf, inventoryYaml } from '../../client/init-files.ts';
import { ACTOR_NAME } from '../../src/inventory/names.ts';
import { closeLedger, openLedger, refusal, release } from '../ledger/support.ts';
import { anyonesPrograms } from '../support/anyones-programs.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { DEV_WARDEN, plainInventory, startDaemon } from '../support/daemon.ts';

let home: string;
const homes: string[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-config-'));
  homes.push(home);
});
afterAll(() => {
  for (const folder of homes) rmSync(folder, { recursive: true, force: true });
});

const run = (args: string, options: CliOptions = {}) => warden(args.split(' '), { cwd: home, ...options });
const mode = (...path: string[]): number => statSync(join(home, ...path)).mode & 0o777;

describe('$ warden init', () => {
  test.each([
    ['dev', 'synthetic-ca-dev'],
    ['test', 'warden-ca-test'],
    ['prod', 'warden-ca-prod'],
  ])('--posture %s writes a folder that holds, and says what is in it', async (posture, label) => {
    const result = await run(`init --posture ${posture} --config made/config`);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain(`wrote ${home}/made/config (posture ${posture})\n`);
    expect(result.stdout).toContain(`\n  wardend --config ${home}/made/config &\n`);
    expect(readdirSync(join(home, 'made', 'config')).sort()).toEqual([
      'ca_ed25519',
      'ca_ed25519.pub',
      'inventory.yaml',
      'warden.yaml',
    ]);
    expect(readdirSync(join(home, 'made'))).toEqual(['config']);
    expect(mode('made', 'config')).toBe(0o700);
    expect(mode('made', 'config', 'ca_ed25519')).toBe(0o600);
    expect(readFileSync(join(home, 'made', 'config', 'ca_ed25519.pub'), 'utf8')).toMatch(
      new RegExp(`^ssh-ed25519 \\S+ ${label}-\\S+\\n$`),
    );
    expect(await run('check --config made/config')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('conforms'),
    });
  });

  test('without a posture it explains the three: nothing is guessed', async () => {
    const result = await run('init --config made');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/needs --posture dev, test or prod.*\n.*\n {2}do: dev: .*; test: .*; prod: /);
    expect(existsSync(join(home, 'made'))).toBe(false);
    expect(await run('init --config made --posture production')).toMatchObject({ code: 2 });
  });

  test('a second init overwrites nothing and names what is there', async () => {
    await run('init --posture dev --config made');
    const before = readdirSync(join(home, 'made')).map((name) => readFileSync(join(home, 'made', name), 'utf8'));
    const result = await run('init --posture prod --config made');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(`${home}/made/warden.yaml, ${home}/made/inventory.yaml`);
    expect(readdirSync(join(home, 'made')).map((name) => readFileSync(join(home, 'made', name), 'utf8'))).toEqual(
      before,
    );
  });

  test('one file that is there stops all of it', async () => {
    mkdirSync(join(home, 'made'));
    writeFileSync(join(home, 'made', 'ca_ed25519'), 'precious');
    expect(await run('init --posture dev --config made')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('made/ca_ed25519 is there already'),
    });
    expect(readdirSync(join(home, 'made'))).toEqual(['ca_ed25519']);
    expect(readFileSync(join(home, 'made', 'ca_ed25519'), 'utf8')).toBe('precious');
  });

  test('an empty folder is filled, and what else lies in it stays', async () => {
    mkdirSync(join(home, 'made'));
    writeFileSync(join(home, 'made', 'README'), 'ours');
    expect((await run('init --posture dev --config made')).code).toBe(0);
    expect(readdirSync(join(home, 'made')).sort()).toEqual([
      'README',
      'ca_ed25519',
      'ca_ed25519.pub',
      'inventory.yaml',
      'warden.yaml',
    ]);
    expect(readFileSync(join(home, 'made', 'README'), 'utf8')).toBe('ours');
  });

  test('a place that cannot be written is a usage error and leaves nothing', async () => {
    writeFileSync(join(home, 'file'), '');
    expect(await run('init --posture dev --config file/config')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('cannot write'),
    });
    expect(readdirSync(home)).toEqual(['file']);
  });

  test.runIf(process.getuid?.() === 0)('init and daemon work for a uid that is in no user database', () => {
    const programs = anyonesPrograms();
    const own = join(home, 'own');
    chmodSync(home, 0o755);
    mkdirSync(own);
    chownSync(own, 61_234, 61_234);
    const script = `set -e
      warden init --posture dev --config config
      export WARDEN_SOCKET=$PWD/run/s.sock
      wardend --config config --socket $WARDEN_SOCKET --state state 2> log &
      until warden status > /dev/null 2>&1; do kill -0 $!; sleep 0.1; done
      warden issue adm-uid61234 --out key
      kill $!; wait $!`;
    const ids = ['--reuid=61234', '--regid=61234', '--clear-groups'];
    const done = spawnSync('setpriv', [...ids, 'env', '-u', 'HOME', 'bash', '-c', script], {
      cwd: own,
      env: { PATH: `${programs.bin}:${process.env.PATH}` },
      encoding: 'utf8',
      timeout: 50_000,
    });
    programs.remove();
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toMatch(/\n {2}inventory\.yaml {2}actor adm-uid61234: you\n/);
    expect(done.stdout).toMatch(/\ncertificate key-cert\.pub with its key key\n/);
  });

  test('a daemon starts on it and signs for the actor that it made', async () => {
    const { actor } = json(await run('init --posture test --config config --json')) as { actor: string };
    mkdirSync(join(home, 'state'), { mode: 0o700 });
    const house = {
      folder: home,
      config: join(home, 'config'),
      state: join(home, 'state'),
      socket: join(home, 'run', 's.sock'),
      remove: () => {},
    };
    const daemon = await startDaemon({ house });
    const issued = await run(`issue ${actor} --out key --socket ${house.socket}`);
    expect(issued).toMatchObject({ code: 0, stderr: '' });
    await daemon.stop();
  });

  test.each([
    ['root', 'adm-root'],
    ['Jane.Doe', 'adm-jane.doe'],
    ['svc_deploy$', 'adm-svc_deploy'],
    ['DOMAIN\\user name', 'adm-domain-user-name'],
    ['ünï', 'adm-n'],
    ['日本', 'adm-uid1000'],
    ['-', 'adm-uid1000'],
    ['x'.repeat(200), `adm-${'x'.repeat(60)}`],
  ])('the login name %s makes the actor %s', (login, actor) => {
    expect(actorNameOf(login, 1000)).toBe(actor);
    expect(actor).toMatch(ACTOR_NAME);
    expect(inventoryYaml(actor, login, 1000)).toContain(`name: ${actor}\n`);
  });
});

describe('$ warden check', () => {
  const write = (name: string, text: string): void => writeFileSync(join(home, name), text, { mode: 0o600 });

  test('names every problem with its place and the mend, with code 1', async () => {
    write('warden.yaml', 'version: 1\nposture: prd\n');
    write('inventory.yaml', 'version: 1\nactors:\n  - { name: agt-x, type: adm, principals: [x], colour: red }\n');
    const result = await run('check --config .');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(result.stdout).toMatch(/^warden\.yaml:2:10: .*\n {2}write: /);
    expect(result.stdout).toMatch(/\ninventory\.yaml:3:\d+: .*\n {2}write: /);
    const { conforms, problems } = json(await run('check --config . --json')) as {
      conforms: boolean;
      problems: object[];
    };
    expect(conforms).toBe(false);
    expect(problems).toContainEqual(expect.objectContaining({ file: 'warden.yaml', line: 2, column: 10 }));
  });

  test('nothing to check is unusable: code 2', async () => {
    for (const dir of ['.', 'none']) {
      expect(await run(`check --config ${dir}`)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('there is no config in'),
      });
    }
  });

  test.runIf(process.getuid?.() === 0)('a folder that is closed to us is not an empty one: code 2', async () => {
    const programs = anyonesPrograms();
    chmodSync(home, 0o755);
    mkdirSync(join(home, 'closed'), { mode: 0o700 });
    const done = spawnSync(
      'setpriv',
      ['--reuid=61234', '--regid=61234', '--clear-groups', 'warden', 'check', '--config', 'closed'],
      { cwd: home, env: { PATH: `${programs.bin}:${process.env.PATH}` }, encoding: 'utf8' },
    );
    programs.remove();
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain(`cannot read ${home}/closed/warden.yaml: no permission\n`);
  });

  test('a file that others may write is a problem', async () => {
    write('warden.yaml', DEV_WARDEN);
    write('inventory.yaml', plainInventory());
    chmodSync(join(home, 'inventory.yaml'), 0o666);
    expect(await run('check --config .')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/inventory\.yaml: writable by .*\n {2}write: chmod go-w/),
    });
  });

  test('--against another folder says who gains and who loses what', async () => {
    for (const name of ['old', 'new']) {
      mkdirSync(join(home, name), { mode: 0o700 });
      write(`${name}/warden.yaml`, DEV_WARDEN);
      write(`${name}/inventory.yaml`, plainInventory());
    }
    expect((await run('check --config new --against old')).stdout).toContain('nothing would change against');
    write('new/inventory.yaml', plainInventory().replace('[agt-test, agt-other]', '[agt-test, root]'));
    const result = await run('check --config new --against old --json');
    expect(result.code).toBe(0);
    expect((json(result) as { changes: string[] }).changes.join('\n')).toMatch(/agt-test: .*root/);
  });

  test('--diff compares with what the running daemon has in force', async () => {
    const daemon = await startDaemon();
    const env = { WARDEN_SOCKET: daemon.socket };
    const args = (config: string) => `check --diff --config ${config}`;
    expect((await run(args(daemon.house.config), { env })).stdout).toContain(
      'nothing would change against the running daemon',
    );
    write('warden.yaml', DEV_WARDEN);
    write('inventory.yaml', plainInventory().replace('max_ttl_hours: 24', 'max_ttl_hours: 12'));
    expect((await run(args('.'), { env })).stdout).toMatch(/adm-tester: .*12h/);
    await daemon.stop();
    expect(await run(args('.'), { env })).toMatchObject({ code: 3, stdout: '' });
    daemon.house.remove();
  });
});

describe('$ warden registry, $ warden inventory', () => {
  beforeEach(async () => {
    writeFileSync(join(home, 'warden.yaml'), DEV_WARDEN, { mode: 0o600 });
    writeFileSync(join(home, 'inventory.yaml'), plainInventory(), { mode: 0o600 });
  });

  test('build writes the same bytes to stdout and to a file, and check finds nothing', async () => {
    const { stdout } = await run('registry build --config .');
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, tenant: 'tenant:platform', system: 'ops-warden' });
    expect(await run('registry build --config . -o registry.json')).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(home, 'registry.json'), 'utf8')).toBe(stdout);
    expect(await run('registry check registry.json --config .')).toMatchObject({ code: 0, stdout: 'conforms\n' });
  });

  test('check reports drift with code 1, and rubbish with code 2', async () => {
    await run('registry build --config . -o registry.json');
    writeFileSync(join(home, 'inventory.yaml'), plainInventory().replaceAll('agt-test', 'agt-best'), { mode: 0o600 });
    const drift = await run('registry check registry.json --config .');
    expect(drift).toMatchObject({ code: 1, stderr: '' });
    expect(drift.stdout).toContain('agt-best');
    writeFileSync(join(home, 'registry.json'), '{"version":');
    expect((await run('registry check registry.json --config .')).code).toBe(2);
    expect((await run('registry check none.json --config .')).code).toBe(2);
  });

  test('a config that does not hold is code 2, and names its first problem', async () => {
    writeFileSync(join(home, 'inventory.yaml'), 'version: 2\n', { mode: 0o600 });
    const result = await run('registry build --config .');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(
      /^warden: usage: the config in \S+ does not hold: inventory\.yaml:1:\d+: .*\n {2}why: config_invalid\n {2}do: /,
    );
  });

  test('whoever got a certificate or a secret by the ledger is in use', async () => {
    const actor = (name: string) => `  - { name: ${name}, type: agt, principals: [${name}], callers: [{ uid: 0 }] }\n`;
    const names = ['agt-signed', 'agt-fetched', 'agt-refused', 'agt-explained'];
    const inventory = `version: 1\nactors:\n${names.map(actor).join('')}`;
    writeFileSync(join(home, 'inventory.yaml'), inventory, { mode: 0o600 });
    mkdirSync(join(home, 'state'), { mode: 0o700 });
    const { ledger } = await openLedger(join(home, 'state'));
    await ledger.append(release(1, { actor: 'agt-signed' }));
    await ledger.append({ kind: 'fetch', outcome: 'ok', actor: 'agt-fetched', route: 'npm-publish' });
    await ledger.append({ kind: 'explain', outcome: 'ok', actor: 'agt-explained' });
    await ledger.appendRefusal(refusal({ actor: 'agt-refused' }));
    await closeLedger(ledger);
    const result = await run('inventory scorecard --config . --state state --json');
    const { findings } = json(result) as { findings: { rule: string; about: string }[] };
    const unused = findings.filter(({ rule }) => rule === 'actor_unused').map(({ about }) => about);
    expect(unused).toEqual(['agt-explained', 'agt-refused']);
  });

  test('the scorecard finds weak places: code 1, each with its mend', async () => {
    const inventory = `${plainInventory()}  - { name: adm-open, type: adm, principals: [shared] }\n  - { name: agt-open, type: agt, principals: [shared] }\n`;
    writeFileSync(join(home, 'inventory.yaml'), inventory, { mode: 0o600 });
    const result = await run('inventory scorecard --config .');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(result.stdout).toMatch(/principal\w*shared\w* .*\n {2}do: /);
    const { findings } = json(await run('inventory scorecard --config . --json')) as { findings: { rule: string }[] };
    expect(findings.length).toBeGreaterThan(1);
  });
});
