import { execFileSync } from 'node:child_process';
import {
  chmodSync,
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
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon;
let home: string;

beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-cli-'));
  return () => rmSync(home, { recursive: true, force: true });
});

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { cwd: home, ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });

function makeKey(name: string, type = 'ed25519'): string {
  const path = join(home, name);
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'tester', '-f', path]);
  return path;
}

const show = (path: string): string => execFileSync('ssh-keygen', ['-L', '-f', path], { encoding: 'utf8' });
const noTemporaries = (folder: string): void =>
  expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([]);

describe('$ warden sign', () => {
  test('agt-test --pubkey key.pub writes the certificate beside the key and says what it is', async () => {
    makeKey('key');
    const result = await run('sign agt-test --pubkey key.pub --ttl 15m');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout.split('\n')[0]).toBe('certificate key-cert.pub');
    expect(result.stdout).toMatch(/for agt-test, agt-other · 15m, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ · serial \d+/);
    expect(result.stdout).toMatch(/ledger \d+ · request [0-9a-f-]{36}/);
    expect(show(join(home, 'key-cert.pub'))).toMatch(/Key ID: "synthetic-agt-test\//);
    expect(statSync(join(home, 'key-cert.pub')).mode & 0o777).toBe(0o644);
    noTemporaries(home);
  });

  test('--json is one object that agrees with the certificate', async () => {
    makeKey('key');
    const result = await run(
      'sign agt-test --pubkey key.pub --principal agt-other --json --reason testing --ticket T-1',
    );
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const answer = json(result);
    expect(answer).toMatchObject({
      actor: 'agt-test',
      renewed: true,
      certificate_file: 'key-cert.pub',
      principals: ['agt-other'],
      ttl_seconds: 3600,
      policy_effect: 'not_asked',
      posture: 'dev',
    });
    expect(show(join(home, 'key-cert.pub'))).toContain(`Serial: ${answer.serial}`);
    expect(readFileSync(join(home, 'key-cert.pub'), 'utf8')).toBe(`${answer.certificate}\n`);
    const record = await run(`ledger query --serial ${answer.serial} --json`);
    expect(JSON.parse(record.stdout)).toMatchObject({ seq: answer.ledger_seq, user_reason: 'testing', ticket: 'T-1' });
  });

  test('--pubkey - reads stdin and writes nothing but the certificate to stdout', async () => {
    const key = makeKey('key');
    const result = await run('sign agt-test --pubkey -', { stdin: readFileSync(`${key}.pub`) });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^ssh-ed25519-cert-v01@openssh\.com \S+ synthetic-agt-test\/\S+\n$/);
    expect(readdirSync(home).sort()).toEqual(['key', 'key.pub']);
  });

  test('--out - does the same for a file', async () => {
    makeKey('key');
    const result = await run('sign agt-test --pubkey key.pub -o -');
    expect(result.stdout).toMatch(/^ssh-ed25519-cert-v01@openssh\.com \S+ \S+\n$/);
    expect(existsSync(join(home, 'key-cert.pub'))).toBe(false);
  });

  test('an existing certificate is replaced whole', async () => {
    makeKey('key');
    writeFileSync(join(home, 'key-cert.pub'), 'old', { mode: 0o600 });
    expect((await run('sign agt-test --pubkey key.pub')).code).toBe(0);
    expect(show(join(home, 'key-cert.pub'))).toContain('agt-test');
  });

  test('without --pubkey the first default key is taken', async () => {
    mkdirSync(join(home, '.ssh'), { mode: 0o700 });
    makeKey('.ssh/id_rsa', 'rsa');
    makeKey('.ssh/id_ecdsa', 'ecdsa');
    const result = await run('sign agt-test --quiet');
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(join(home, '.ssh', 'id_ecdsa-cert.pub'))).toBe(true);
    expect(existsSync(join(home, '.ssh', 'id_rsa-cert.pub'))).toBe(false);
  });

  test('without any key it says where it looked', async () => {
    const result = await run('sign agt-test');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(
      `there is no ${home}/.ssh/{id_ed25519,id_ecdsa,id_rsa}.pub, and SSH_AUTH_SOCK names no ssh-agent`,
    );
  });

  test('--quiet prints nothing', async () => {
    makeKey('key');
    expect(await run('sign agt-test --pubkey key.pub --quiet')).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('$ warden sign --if-expiring', () => {
  test('asks for nothing while the certificate lasts longer, and renews it otherwise', async () => {
    makeKey('key');
    const first = json(await run('sign agt-test --pubkey key.pub --ttl 2h --if-expiring 1h --json'));
    expect(first.renewed).toBe(true);
    const kept = await run('sign agt-test --pubkey key.pub --ttl 2h --if-expiring 1h');
    expect(kept).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^nothing to do: key-cert.pub lasts until /),
    });
    const kept2 = json(await run('sign agt-test --pubkey key.pub --ttl 2h --if-expiring 1h --json'));
    const { valid_before } = first;
    expect(kept2).toMatchObject({ renewed: false, certificate_file: 'key-cert.pub', valid_before });
    const renewed = json(await run('sign agt-test --pubkey key.pub --ttl 2h --if-expiring 3h --json'));
    expect(renewed.renewed).toBe(true);
    expect(renewed.serial).not.toBe(first.serial);
  });

  test('without a daemon it still exits 0 while the certificate lasts', async () => {
    makeKey('key');
    await run('sign agt-test --pubkey key.pub --ttl 2h');
    const env = { WARDEN_SOCKET: join(home, 'none.sock') };
    expect((await run('sign agt-test --pubkey key.pub --if-expiring 1h', { env })).code).toBe(0);
    expect((await run('sign agt-test --pubkey key.pub --if-expiring 3h', { env })).code).toBe(3);
  });

  test.each([
    ['a certificate of another actor', 'sign adm-tester --pubkey key.pub --ttl 2h'],
    ['a certificate over other principals', 'sign agt-test --pubkey key.pub --ttl 2h --principal agt-other'],
  ])('%s is not taken for the one asked for', async (_name, before) => {
    makeKey('key');
    await run(before);
    const answer = json(await run('sign agt-test --pubkey key.pub --principal agt-test --if-expiring 1h --json'));
    expect(answer).toMatchObject({ renewed: true, principals: ['agt-test'] });
  });

  test('--if-expiring without a file to look at is a usage error', async () => {
    makeKey('key');
    const stdin = readFileSync(join(home, 'key.pub'));
    for (const where of ['--pubkey -', '--pubkey key.pub --out -']) {
      const result = await run(`sign agt-test ${where} --if-expiring 1h`, { stdin });
      expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--if-expiring looks at') });
    }
  });

  test('a certificate over another key, and a file that is none, are renewed', async () => {
    makeKey('key');
    makeKey('other');
    await run('sign agt-test --pubkey other.pub --ttl 2h --out key-cert.pub');
    expect(json(await run('sign agt-test --pubkey key.pub --if-expiring 1m --json')).renewed).toBe(true);
    writeFileSync(join(home, 'key-cert.pub'), 'no certificate');
    expect(json(await run('sign agt-test --pubkey key.pub --if-expiring 1m --json')).renewed).toBe(true);
  });
});

describe('$ warden sign, refused', () => {
  test('a TTL beyond the maximum: three lines, and code 1', async () => {
    makeKey('key');
    const result = await run('sign agt-test --pubkey key.pub --ttl 999');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    const [what, why, mend, ...rest] = result.stderr.split('\n');
    expect(what).toMatch(/^warden: refused: .*999h/);
    expect(why).toMatch(/^ {2}why: ttl_out_of_bounds · ledger \d+ · request [0-9a-f-]{36}$/);
    expect(mend).toMatch(/^ {2}do: \S/);
    expect(rest).toEqual(['']);
    expect(existsSync(join(home, 'key-cert.pub'))).toBe(false);
  });

  test('with --json the error is one object on stdout, with the same code', async () => {
    makeKey('key');
    const result = await run('sign agt-test --pubkey key.pub --ttl 999 --json');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(json(result)).toEqual({
      error: {
        kind: 'refused',
        reason: 'ttl_out_of_bounds',
        message: expect.stringContaining('999h'),
        hint: expect.any(String),
        ledger_seq: expect.any(Number),
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
  });

  test.each([
    ['another caller’s actor', 'sign agt-foreign --pubkey key.pub', 1, 'caller_not_allowed'],
    [
      'a principal that is not the actor’s',
      'sign agt-test --pubkey key.pub --principal root',
      1,
      'disallowed_principal',
    ],
    ['a TTL that is none', 'sign agt-test --pubkey key.pub --ttl soon', 2, 'invalid_request'],
    ['a negative TTL', 'sign agt-test --pubkey key.pub --ttl -5', 2, 'invalid_request'],
    ['a TTL of nothing', 'sign agt-test --pubkey key.pub --ttl 0', 2, 'invalid_request'],
    ['an unknown option', 'sign agt-test --pubky key.pub', 2, 'invalid_request'],
    ['an option twice', 'sign agt-test --pubkey key.pub --ttl 1h --ttl 2h', 2, 'invalid_request'],
    ['no actor', 'sign --pubkey key.pub', 2, 'invalid_request'],
    ['two actors', 'sign agt-test agt-other --pubkey key.pub', 2, 'invalid_request'],
    ['a key file that is not there', 'sign agt-test --pubkey none.pub', 2, 'invalid_request'],
    ['a private key', 'sign agt-test --pubkey key', 2, 'public_key_malformed'],
    ['a certificate in place of a key', 'sign agt-test --pubkey cert.pub', 2, 'public_key_is_certificate'],
    ['a folder as --out', 'sign agt-test --pubkey key.pub --out .', 2, 'invalid_request'],
    ['a folder that is not there', 'sign agt-test --pubkey key.pub --out none/cert.pub', 2, 'invalid_request'],
  ])('%s', async (_name, args, code, reason) => {
    makeKey('key');
    await run('sign agt-test --pubkey key.pub --out cert.pub');
    const human = await run(args);
    expect(human).toMatchObject({ code, stdout: '' });
    expect(human.stderr).toContain(`\n  why: ${reason}`);
    expect(human.stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(3);
    const machine = await run(`${args} --json`);
    expect(machine).toMatchObject({ code, stderr: '' });
    expect(json(machine)).toMatchObject({ error: { reason } });
    noTemporaries(home);
  });

  test('a private key is noticed here and names the file to give', async () => {
    makeKey('key');
    const result = await run('sign agt-test --pubkey key');
    expect(result.stderr).toContain('warden: usage: key is a private key; it was not sent\n');
    expect(result.stderr).toContain('  do: give key.pub\n');
  });

  test('two keys in one file are refused', async () => {
    const [a, b] = [makeKey('a'), makeKey('b')].map((path) => readFileSync(`${path}.pub`));
    writeFileSync(join(home, 'both.pub'), Buffer.concat([a as Buffer, b as Buffer]));
    const result = await run('sign agt-test --pubkey both.pub');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('both.pub holds 2 lines');
  });

  test('a huge file, an empty one and binary rubbish are refused', async () => {
    writeFileSync(join(home, 'huge.pub'), Buffer.alloc(5_000_000, 'a'));
    writeFileSync(join(home, 'empty.pub'), '');
    writeFileSync(join(home, 'rubbish.pub'), Buffer.from([0, 1, 2, 255, 27, 91, 50, 74]));
    expect(await run('sign agt-test --pubkey huge.pub')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('larger than 16 KiB'),
    });
    expect(await run('sign agt-test --pubkey empty.pub')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is empty'),
    });
    const rubbish = await run('sign agt-test --pubkey rubbish.pub');
    expect(rubbish.code).toBe(2);
    expect(rubbish.stderr).not.toContain('\u001b');
  });
});

describe('$ warden sign, with no daemon to ask', () => {
  test('a missing socket is named, with code 3', async () => {
    makeKey('key');
    const result = await run(`--socket ${home}/none.sock sign agt-test --pubkey key.pub`);
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toBe(
      `warden: unreachable: no daemon at ${home}/none.sock (there is no socket)\n` +
        '  why: daemon_unreachable\n' +
        '  do: start it: `wardend`, or `systemctl --user start wardend.socket`\n',
    );
  });

  test('without --socket and WARDEN_SOCKET both default places are named', async () => {
    makeKey('key');
    const result = await warden(['sign', 'agt-test', '--pubkey', 'key.pub'], {
      cwd: home,
      env: { XDG_RUNTIME_DIR: home },
    });
    expect(result.code).toBe(3);
    expect(result.stderr).toContain(
      `no daemon at ${home}/warden/wardend.sock (there is no socket) nor /run/warden/wardend.sock (`,
    );
  });

  test('a socket without permission is code 3 and says so', async () => {
    makeKey('key');
    const folder = join(home, 'closed');
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(home, 0o755);
    const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const args = ['--socket', join(folder, 'wardend.sock'), 'sign', 'agt-test', '--pubkey', 'key.pub', '--out', '-'];
    // The bundle lies where only its owner may read: an unprivileged reader gets a copy.
    const result = process.getuid?.() === 0 ? await asNobody(args, through) : await warden(args, { cwd: home });
    expect(result.code).toBe(3);
    if (process.getuid?.() === 0) {
      expect(result.stderr).toContain('(no permission)');
      expect(result.stderr).toContain("do: join the socket's group");
    }
  });

  async function asNobody(args: readonly string[], through: readonly string[]) {
    const { builtPrograms } = await import('../support/built.ts');
    const { copyFileSync } = await import('node:fs');
    const { spawnSync } = await import('node:child_process');
    const bundle = builtPrograms().warden;
    for (const name of ['warden.cjs', 'warden-sign.cjs']) copyFileSync(join(dirname(bundle), name), join(home, name));
    const [file = '', ...rest] = [...through, process.execPath, join(home, 'warden.cjs'), ...args];
    const done = spawnSync(file, rest, { cwd: home, env: { PATH: process.env.PATH, HOME: home }, encoding: 'utf8' });
    return { code: done.status, stdout: done.stdout, stderr: done.stderr };
  }

  test('an unwritable place is noticed before anything is issued', async () => {
    makeKey('key');
    const before = json(await run('status --json')) as { certificates_issued: number };
    const result = await run('sign agt-test --pubkey key.pub --out /proc/cert.pub');
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot write /proc/cert.pub') });
    const after = json(await run('status --json')) as { certificates_issued: number };
    expect(after.certificates_issued).toBe(before.certificates_issued);
  });
});
