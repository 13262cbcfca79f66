import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
  home = mkdtempSync(join(tmpdir(), 'warden-issue-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { cwd: home, ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });
const mode = (name: string): number => statSync(join(home, name)).mode & 0o777;

describe('$ warden issue', () => {
  test.each([
    ['ed25519', 'ED25519-CERT'],
    ['ecdsa-p256', 'ECDSA-CERT'],
    ['ecdsa-p384', 'ECDSA-CERT'],
    ['ecdsa-p521', 'ECDSA-CERT'],
    ['rsa-3072', 'RSA-CERT'],
  ])('--type %s writes a key that ssh-keygen reads, and a certificate over it', async (type, shown) => {
    const result = await run(`issue agt-test --type ${type} --out key`);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(home).sort()).toEqual(['key', 'key-cert.pub', 'key.pub']);
    expect([mode('key'), mode('key.pub'), mode('key-cert.pub')]).toEqual([0o600, 0o644, 0o644]);
    const derived = execFileSync('ssh-keygen', ['-y', '-f', join(home, 'key')], { encoding: 'utf8' });
    const [algorithm, blob] = readFileSync(join(home, 'key.pub'), 'utf8').split(' ');
    expect(
      derived
        .split(' ')
        .slice(0, 2)
        .map((word) => word.trim()),
    ).toEqual([algorithm, blob]);
    const fingerprint = execFileSync('ssh-keygen', ['-l', '-f', join(home, 'key.pub')], { encoding: 'utf8' }).split(
      ' ',
    )[1];
    const certificate = execFileSync('ssh-keygen', ['-L', '-f', join(home, 'key-cert.pub')], { encoding: 'utf8' });
    expect(certificate).toContain(`Public key: ${shown} ${fingerprint}`);
  });

  test('the default place is ~/.ssh/warden-ACTOR, in a folder that is closed to others', async () => {
    expect((await run('issue agt-test')).code).toBe(0);
    expect(readdirSync(join(home, '.ssh')).sort()).toEqual([
      'warden-agt-test',
      'warden-agt-test-cert.pub',
      'warden-agt-test.pub',
    ]);
    expect(mode('.ssh')).toBe(0o700);
  });

  test('an existing key is never overwritten, unless --force says so', async () => {
    writeFileSync(join(home, 'key'), 'precious');
    const refused = await run('issue agt-test --out key');
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('key is there already') });
    expect(readFileSync(join(home, 'key'), 'utf8')).toBe('precious');
    expect((await run('issue agt-test --out key --force')).code).toBe(0);
    expect(readFileSync(join(home, 'key'), 'utf8')).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    expect(mode('key')).toBe(0o600);
  });

  test('a refusal leaves no key behind', async () => {
    const result = await run('issue agt-foreign --out key');
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('why: caller_not_allowed') });
    expect(readdirSync(home)).toEqual([]);
  });

  test.each([
    ['a type that is none', 'issue agt-test --type dsa', '"dsa" is none'],
    ['a private key for stdout', 'issue agt-test --out -', 'a private key is not printed'],
    ['--agent without an agent', 'issue agt-test --agent', 'SSH_AUTH_SOCK names no ssh-agent'],
    ['--agent with a file', 'issue agt-test --agent --out key', 'exclude each other'],
    ['a name that leads elsewhere', 'issue ../../etc/passwd', 'is no actor'],
  ])('%s is a usage error', async (_name, args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('it is on record as issue', async () => {
    const { ledger_seq: seq } = json(await run('issue agt-test --out key --json'));
    const records = (await run('ledger query --kind issue --json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.at(-1)).toMatchObject({ seq, kind: 'issue', outcome: 'ok', actor: 'agt-test' });
  });
});

describe('with an ssh-agent', () => {
  let agent: ChildProcess;
  let socket: string;
  beforeEach(async () => {
    socket = join(home, 'agent.sock');
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    // It prints its variables once it listens.
    await new Promise((resolve) => agent.stdout?.once('data', resolve));
  });
  afterEach(async () => {
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill();
    await ended;
  });
  const list = (): string => {
    try {
      return execFileSync('ssh-add', ['-L'], { env: { ...process.env, SSH_AUTH_SOCK: socket }, encoding: 'utf8' });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const withAgent = (args: string) => run(args, { env: { SSH_AUTH_SOCK: socket } });

  test('issue --agent puts key and certificate into it and writes no file', async () => {
    const result = await withAgent('issue agt-test --ttl 1h --agent --json');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(list()).toContain(String(json(result).certificate).split(' ').slice(0, 2).join(' '));
    expect(readdirSync(home)).toEqual(['agent.sock']);
  });

  test('sign takes the only key of the agent, and says how to use the certificate', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'k')]);
    execFileSync('ssh-add', ['-q', join(home, 'k')], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const folder = join(home, '.ssh');
    execFileSync('mkdir', ['-m', '700', folder]);
    const result = await withAgent('sign agt-test');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain(`use it: ssh -o CertificateFile=${folder}/warden-agt-test-cert.pub HOST`);
    expect(
      execFileSync('ssh-keygen', ['-L', '-f', join(folder, 'warden-agt-test-cert.pub')], { encoding: 'utf8' }),
    ).toContain('agt-test');
  });

  test('with several keys it asks which, with none it says so, and a dead agent is named', async () => {
    const none = await withAgent('sign agt-test');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('the ssh-agent holds no key') });
    for (const name of ['a', 'b']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)]);
      execFileSync('ssh-add', ['-q', join(home, name)], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    }
    const two = await withAgent('sign agt-test');
    expect(two).toMatchObject({ code: 2, stderr: expect.stringContaining('the ssh-agent holds 2 keys') });
    const dead = await run('sign agt-test', { env: { SSH_AUTH_SOCK: join(home, 'dead.sock') } });
    expect(dead).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the ssh-agent at SSH_AUTH_SOCK is of no use'),
    });
  });
});
