import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writingScript } from '../../client/krl-push.ts';
import { clear, houseOf } from '../e2e/support.ts';
import { publishedKeys, sign } from '../login/support/sign.ts';
import { makeSubject, type Subject } from '../login/support/subjects.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { type ListeningSshd, LOGIN_USER, Sshd } from '../support/sshd.ts';

const INVENTORY = `${plainInventory()}hosts:
  - { name: far-1, addresses: [127.0.0.1] }
  - { name: gone-1, addresses: [gone.invalid] }
  - { name: roams-1, addresses: [gone.invalid, 127.0.0.1] }
  - { name: gone-2, addresses: [gone.invalid, also-gone.invalid] }
`;

let daemon: RunningDaemon;
let folder: string;
let host: Sshd;
let listening: ListeningSshd;
let operator: Subject;
let target: string;
let asOperator: string[];
beforeAll(async () => {
  daemon = await startDaemon({ house: houseOf('test', '', INVENTORY) });
  folder = mkdtempSync(join(tmpdir(), 'warden-push-'));
  target = join(folder, "it's ssh", 'warden.krl');
  mkdirSync(join(folder, "it's ssh"));
  await cli('krl', '-o', target);
  operator = await makeSubject('ssh-ed25519', 'operator');
  host = await Sshd.make({
    trusts: await publishedKeys(daemon.socket),
    principals: ['tester', 'agt-test'],
    config: [`RevokedKeys "${target}"`],
  });
  listening = await host.listen();
  const { certificate } = await sign(daemon.socket, 'adm-tester', operator);
  const options = [
    `Port=${listening.port}`,
    'GlobalKnownHostsFile=none',
    `UserKnownHostsFile=${listening.knownHosts}`,
    `HostKeyAlias=${listening.alias}`,
    'IdentitiesOnly=yes',
    `IdentityFile=${operator.file}`,
    `CertificateFile=${certificate}`,
  ];
  asOperator = [
    '--push',
    '--to',
    target,
    '--login',
    LOGIN_USER,
    ...options.flatMap((option) => ['--ssh-option', option]),
  ];
});
afterAll(async () => {
  await listening?.close();
  host?.remove();
  await clear(daemon);
  rmSync(folder, { recursive: true, force: true });
});
const cli = (...args: string[]): Promise<CliResult> => warden(args, { env: { WARDEN_SOCKET: daemon.socket } });
const current = (): Buffer => readFileSync(join(daemon.state, 'revoked.krl'));

describe('the list is pushed', () => {
  test('$ warden revoke --push: the host refuses the certificate at its next login, and a host that is gone is named', async () => {
    const agent = await makeSubject('ssh-ed25519', 'agent');
    const signed = await sign(daemon.socket, 'agt-test', agent);
    const login = () => host.login({ key: agent.file, certificate: signed.certificate });
    expect(await login()).toMatchObject({ code: 0, stdout: 'ok\n' });
    const result = await cli('revoke', '--serial', signed.evidence.serial, ...asOperator);
    expect(result.stdout).toContain('revoked 1 certificate still valid');
    expect(result.stdout).toMatch(/\n {2}far-1 +127\.0\.0\.1 +has it at .*warden\.krl\n/);
    expect(result.stdout).toMatch(/\n {2}gone-1 +gone\.invalid +FAILED: ssh: Could not resolve hostname gone\.invalid/);
    expect(result).toMatchObject({ code: 4, stderr: '2 of 4 hosts without the list; the others have it\n' });
    expect(readFileSync(target)).toEqual(current());
    expect(statSync(target).mode & 0o777).toBe(0o644);
    const refused = await login();
    expect(refused).toMatchObject({ code: 255 });
    expect(refused.log).toContain('revoked by file');
  });

  test('$ warden krl --push: to one host, as JSON, and nothing is left beside it', async () => {
    writeFileSync(target, '');
    chmodSync(target, 0o600);
    writeFileSync(target, current());
    const result = await cli('krl', ...asOperator, '--host', 'far-1', '--json');
    expect(result.code).toBe(0);
    expect(json(result)).toEqual({ hosts: [{ host: 'far-1', address: '127.0.0.1', ok: true }] });
    expect(readdirSync(join(folder, "it's ssh"))).toEqual(['warden.krl']);
  });

  test('by the next address where the first leads nowhere', async () => {
    const result = await cli('krl', ...asOperator, '--host', 'roams-1', '--json');
    expect(result.code).toBe(0);
    expect(json(result)).toEqual({ hosts: [{ host: 'roams-1', address: '127.0.0.1', ok: true }] });
  });

  test('a host that none of its addresses leads to is told with what each of them said', async () => {
    const result = await cli('krl', ...asOperator, '--host', 'gone-2', '--json');
    expect(result.code).toBe(4);
    expect(json(result)).toEqual({
      hosts: [
        {
          host: 'gone-2',
          address: 'gone.invalid, also-gone.invalid',
          ok: false,
          why: expect.stringMatching(/^gone\.invalid: ssh: Could not .*; also-gone\.invalid: ssh: Could not /),
        },
      ],
    });
  });

  test('a host that says no by one address is not asked by the next', async () => {
    const where = join(folder, 'nowhere', 'warden.krl');
    const args = asOperator.map((arg) => (arg === target ? where : arg));
    const result = await cli('krl', ...args, '--host', 'roams-1', '--json');
    expect(json(result)).toMatchObject({ hosts: [{ address: '127.0.0.1', ok: false }] });
  });

  test('a place that cannot be written is said for its host, in the words of the host', async () => {
    const where = join(folder, 'nowhere', 'warden.krl');
    const args = asOperator.map((arg) => (arg === target ? where : arg));
    const result = await cli('krl', ...args, '--host', 'far-1');
    expect(result.code).toBe(4);
    expect(result.stdout).toMatch(/FAILED: .*(nonexistent|No such file|cannot create)/);
  });

  test.each([
    [
      'a host that the inventory does not have',
      ['krl', '--push', '--host', 'far-2'],
      'the inventory has no host "far-2"',
    ],
    ['a path that is not absolute', ['krl', '--push', '--to', 'warden.krl'], 'is no absolute path'],
    ['an option of --push alone', ['krl', '--to', '/x'], '--to goes with --push'],
    ['a user that is an option', ['krl', '--push', '--login=-oProxyCommand=x'], 'is no user'],
  ])('%s is refused', async (_, args, message) => {
    expect(await cli(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  test('with --sudo the whole of it runs as root, whatever the path holds', () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'sudo'), '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\nexec "$@"\n', { mode: 0o755 });
    const odd = join(folder, `a 'b" $c.krl`);
    const env = { PATH: `${bin}:${process.env.PATH}` };
    execFileSync('sh', ['-c', writingScript(odd, 4, true)], { input: 'list', env });
    expect(readFileSync(odd, 'utf8')).toBe('list');
  });

  test('a list that comes short takes no place', () => {
    const short = join(folder, 'short.krl');
    writeFileSync(short, 'the former list');
    expect(() =>
      execFileSync('sh', ['-c', writingScript(short, 99, false)], { input: 'cut', stdio: 'pipe' }),
    ).toThrow();
    expect(readFileSync(short, 'utf8')).toBe('the former list');
    execFileSync('sh', ['-c', writingScript(short, 3, false)], { input: 'new' });
    expect(readFileSync(short, 'utf8')).toBe('new');
    expect(readdirSync(folder).filter((name) => name.includes('short'))).toEqual(['short.krl']);
  });
});
