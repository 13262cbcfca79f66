import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WireReader } from '../../src/ssh/wire.ts';
import { publishedKeys } from '../login/support/sign.ts';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { type ListeningSshd, LOGIN_USER, Sshd } from '../support/sshd.ts';
import { startWardenAgent, type WardenAgent } from './support/agent-process.ts';
import { loginData, signMessage } from './support/frames.ts';
import { RawClient } from './support/raw-client.ts';
import { type Ran, run } from './support/run.ts';

let daemon: RunningDaemon;
let host: Sshd;
let sshd: ListeningSshd;
let agent: WardenAgent;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warden-agent-'));
  daemon = await startDaemon();
  host = await Sshd.make({
    trusts: await publishedKeys(daemon.socket),
    principals: ['tester'],
    config: ['Subsystem sftp internal-sftp'],
  });
  sshd = await host.listen();
  agent = await startWardenAgent(daemon);
  sshConfig('ssh_config', agent.socket);
});
afterAll(async () => {
  await agent?.stop();
  await sshd?.close();
  host?.remove();
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** As `warden ssh-config` and a careful user would have it: `host` is all that is typed. */
function sshConfig(name: string, socket: string, more: readonly string[] = []): string {
  const path = join(folder, name);
  const lines = [
    'Host bastion-1',
    'HostName 127.0.0.1',
    `Port ${sshd.port}`,
    `User ${LOGIN_USER}`,
    `HostKeyAlias ${sshd.alias}`,
    `UserKnownHostsFile ${sshd.knownHosts}`,
    'GlobalKnownHostsFile none',
    'IdentityFile none',
    `IdentityAgent ${socket}`,
    'BatchMode yes',
    ...more,
  ];
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  return path;
}
const ssh = (...args: string[]): Promise<Ran> =>
  run('ssh', ['-F', join(folder, 'ssh_config'), ...args], { HOME: folder });
const add = (socket: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  run('ssh-add', args, { SSH_AUTH_SOCK: socket, HOME: folder, ...env });

describe('with warden agent', () => {
  test('ssh-add -l and -L show a certificate, asked for at the first need and recorded', async () => {
    const list = await add(agent.socket, ['-l']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(/^256 SHA256:\S+ synthetic-adm-tester\/\S+ \(ED25519-CERT\)\n$/);
    const whole = await add(agent.socket, ['-L']);
    expect(whole.stdout).toMatch(/^ssh-ed25519-cert-v01@openssh\.com \S+ synthetic-adm-tester\/\S+\n$/);
    const records = await warden(['ledger', 'query', '--actor', 'adm-tester', '--json'], {
      env: { WARDEN_SOCKET: daemon.socket },
    });
    const signs = records.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(signs).toHaveLength(1);
    expect(signs[0]).toMatchObject({
      kind: 'sign',
      outcome: 'ok',
      certificate_issued: true,
      caller: { pid: agent.pid },
    });
    expect(list.stdout).toContain(String(signs[0]?.key_id));
    expect(list.stdout).toContain(String(signs[0]?.fingerprint));
  });

  test('ssh logs in, bound to the session of that host', async () => {
    const login = await ssh('-v', 'bastion-1', 'echo in');
    expect(login).toMatchObject({ code: 0, stdout: 'in\n' });
    expect(login.stderr).toContain('bound agent to hostkey');
    expect(await agent.heard(`adm-tester as ${LOGIN_USER} on the host with key SHA256:`)).toContain('for ssh (pid ');
  });

  test('scp copies both ways', async () => {
    writeFileSync(join(folder, 'up'), 'payload');
    const config = join(folder, 'ssh_config');
    const up = await run('scp', ['-q', '-F', config, join(folder, 'up'), `bastion-1:${folder}/copied`], {
      HOME: folder,
    });
    expect(up).toMatchObject({ code: 0, stderr: '' });
    expect(
      await run('scp', ['-q', '-F', config, `bastion-1:${folder}/copied`, join(folder, 'down')], { HOME: folder }),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'down'), 'utf8')).toBe('payload');
  });

  test('sftp runs a batch', async () => {
    const batch = join(folder, 'batch');
    writeFileSync(batch, `get ${folder}/copied ${folder}/fetched\n`);
    expect(
      await run('sftp', ['-q', '-F', join(folder, 'ssh_config'), '-b', batch, 'bastion-1'], { HOME: folder }),
    ).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'fetched'), 'utf8')).toBe('payload');
  });

  test('rsync transfers a folder', async () => {
    mkdirSync(join(folder, 'tree', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'tree', 'deep', 'leaf'), 'leaf');
    const through = `ssh -F ${join(folder, 'ssh_config')}`;
    const sent = await run('rsync', ['-a', '-e', through, `${folder}/tree/`, `bastion-1:${folder}/synced/`], {
      HOME: folder,
    });
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(folder, 'synced', 'deep', 'leaf'), 'utf8')).toBe('leaf');
  });

  test('git clones over ssh', async () => {
    const bare = join(folder, 'repo.git');
    const env = {
      HOME: folder,
      GIT_SSH_COMMAND: `ssh -F ${join(folder, 'ssh_config')}`,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.net',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.net',
    };
    expect(await run('git', ['init', '-q', '--bare', '-b', 'main', bare], env)).toMatchObject({ code: 0 });
    expect(await run('git', ['clone', '-q', `bastion-1:${bare}`, 'work'], env, folder)).toMatchObject({ code: 0 });
    const work = join(folder, 'work');
    writeFileSync(join(work, 'file'), 'content');
    await run('git', ['add', 'file'], env, work);
    await run('git', ['commit', '-q', '-m', 'first'], env, work);
    expect(await run('git', ['push', '-q', 'origin', 'HEAD:main'], env, work)).toMatchObject({ code: 0 });
    expect(await run('git', ['clone', '-q', `bastion-1:${bare}`, 'again'], env, folder)).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'again', 'file'), 'utf8')).toBe('content');
  });

  test('all of that was one certificate', async () => {
    const records = await warden(['ledger', 'query', '--actor', 'adm-tester', '--json'], {
      env: { WARDEN_SOCKET: daemon.socket },
    });
    expect(records.stdout.trim().split('\n')).toHaveLength(1);
  });

  test('warden agent --status tells it in words and in JSON', async () => {
    const status = await warden(['agent', '--listen', agent.socket, '--status']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(/^adm-tester {2}until \S+Z {2}synthetic-adm-tester\/\S+\n$/);
    const asJson = await warden(['agent', '--listen', agent.socket, '--status', '--json']);
    expect(json(asJson)).toMatchObject({ actors: [{ actor: 'adm-tester', offered: true }] });
  });

  test('ssh -J logs in through a host that the agent is not forwarded to', async () => {
    const config = sshConfig('jump_config', agent.socket, ['Match originalhost second', 'ProxyJump bastion-1']);
    writeFileSync(config, readFileSync(config, 'utf8').replace('Host bastion-1', 'Host bastion-1 second'));
    const login = await run('ssh', ['-F', config, 'second', 'echo behind'], { HOME: folder });
    expect(login).toMatchObject({ code: 0, stdout: 'behind\n' });
  });

  test('a forwarded agent shows nothing and signs nothing on the other host', async () => {
    const remote = await ssh('-A', 'bastion-1', 'ssh-add -l');
    expect(remote).toMatchObject({ code: 1, stdout: 'The agent has no identities.\n' });
    const further = await ssh(
      '-A',
      'bastion-1',
      `ssh -F ${join(folder, 'ssh_config')} -o IdentityAgent=SSH_AUTH_SOCK bastion-1 true`,
    );
    expect(further.code).toBe(255);
    expect(further.stderr).toContain('Permission denied');
  });

  test('a forwarded agent logs in further where --forwarded allows it', async () => {
    const open = await startWardenAgent(daemon, { args: ['--actor', 'adm-tester', '--forwarded'] });
    try {
      sshConfig('open_config', open.socket);
      const config = join(folder, 'open_config');
      const further = await run(
        'ssh',
        ['-F', config, '-A', 'bastion-1', `ssh -F ${config} -o IdentityAgent=SSH_AUTH_SOCK bastion-1 echo two hops`],
        { HOME: folder },
      );
      expect(further).toMatchObject({ code: 0, stdout: 'two hops\n' });
    } finally {
      await open.stop();
    }
  });

  test('ssh-add -x and -X lock and unlock', async () => {
    const askpass = join(folder, 'askpass');
    const secret = join(folder, 'secret');
    writeFileSync(askpass, `#!/bin/sh\ncat ${secret}\n`);
    chmodSync(askpass, 0o700);
    const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' };
    writeFileSync(secret, 'right\n');
    expect(await add(agent.socket, ['-x'], env)).toMatchObject({ code: 0, stderr: 'Agent locked.\n' });
    expect(await add(agent.socket, ['-l'])).toMatchObject({ code: 1, stdout: 'The agent has no identities.\n' });
    expect((await ssh('bastion-1', 'true')).code).toBe(255);
    expect(await warden(['agent', '--listen', agent.socket, '--status'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is locked'),
    });
    writeFileSync(secret, 'wrong\n');
    expect((await add(agent.socket, ['-X'], env)).code).not.toBe(0);
    writeFileSync(secret, 'right\n');
    expect(await add(agent.socket, ['-X'], env)).toMatchObject({ code: 0, stderr: 'Agent unlocked.\n' });
    expect(await ssh('bastion-1', 'echo again')).toMatchObject({ code: 0, stdout: 'again\n' });
  });

  test('ssh-add -D throws key and certificate away, and the next need gets others', async () => {
    const before = await add(agent.socket, ['-l']);
    expect((await add(agent.socket, ['-D'])).code).toBe(0);
    const after = await add(agent.socket, ['-l']);
    expect(after.stdout).toMatch(/ED25519-CERT/);
    expect(after.stdout.split(' ')[1]).not.toBe(before.stdout.split(' ')[1]);
  });

  test('a foreign key is not taken, and nothing but a login is signed', async () => {
    const key = join(folder, 'foreign');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], {});
    expect(await add(agent.socket, ['-q', key])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('agent refused operation'),
    });
    expect(await agent.heard('keys of its own making only')).toBeDefined();
    const certificate = join(folder, 'cert.pub');
    writeFileSync(certificate, (await add(agent.socket, ['-L'])).stdout);
    const signed = await run('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', certificate, join(folder, 'up')], {
      SSH_AUTH_SOCK: agent.socket,
    });
    expect(signed.code).not.toBe(0);
    expect(await agent.heard('no login with this certificate')).toContain('to ssh-keygen (pid ');
  });
});

describe('with --confirm', () => {
  let careful: WardenAgent;
  const answer = (text: string, code = 0): void =>
    writeFileSync(
      join(folder, 'yesno'),
      `#!/bin/sh\nprintf '%s %s\\n' "$SSH_ASKPASS_PROMPT" "$1" >> ${folder}/asked\necho '${text}'\nexit ${code}\n`,
      { mode: 0o700 },
    );

  beforeAll(async () => {
    answer('');
    careful = await startWardenAgent(daemon, {
      args: ['--actor', 'adm-tester', '--confirm'],
      env: { SSH_ASKPASS: join(folder, 'yesno') },
    });
    sshConfig('careful_config', careful.socket);
  });
  afterAll(() => careful?.stop());
  const login = (): Promise<Ran> =>
    run('ssh', ['-F', join(folder, 'careful_config'), 'bastion-1', 'echo in'], { HOME: folder });

  test.each([
    ['yes', 'yes', 0, true],
    ['an empty answer', '', 0, true],
    ['no', 'no', 0, false],
    ['anything else', 'maybe', 0, false],
    ['a program that fails', 'yes', 1, false],
  ])('%s decides', async (_name, text, code, allowed) => {
    answer(text, code);
    expect((await login()).code).toBe(allowed ? 0 : 255);
  });

  test('the question names actor, user, host key and who asks', () => {
    const asked = readFileSync(join(folder, 'asked'), 'utf8');
    expect(asked).toMatch(
      new RegExp(
        `^confirm Log in with adm-tester as ${LOGIN_USER} on the host with key SHA256:\\S+\\? Asked by ssh \\(pid \\d+\\)\\.$`,
        'm',
      ),
    );
  });

  test('a client that goes away takes the question back', async () => {
    const pid = join(folder, 'asking');
    writeFileSync(join(folder, 'yesno'), `#!/bin/sh\necho $$ > ${pid}.new && mv ${pid}.new ${pid}\nexec sleep 600\n`, {
      mode: 0o700,
    });
    const client = new RawClient(careful.socket);
    const reader = new WireReader((await client.ask(Buffer.of(11))) ?? Buffer.alloc(0));
    reader.raw(5, 'type and count');
    const blob = reader.string('blob');
    client.send(signMessage(blob, loginData({ sessionId: Buffer.alloc(32, 1), blob })));
    const asking = async (): Promise<string> => readFileSync(pid, 'utf8').trim();
    await expect.poll(asking, { timeout: 20_000 }).toMatch(/^\d+$/);
    const process = `/proc/${await asking()}`;
    expect(existsSync(process)).toBe(true);
    client.close();
    await expect.poll(() => existsSync(process), { timeout: 20_000 }).toBe(false);
    expect(await careful.heard('on an unknown host: not confirmed')).toContain('not confirmed');
  });

  test('without a program that asks it does not start', async () => {
    const result = await warden(['agent', '--actor', 'adm-tester', '--confirm', '--listen', join(folder, 'never')], {
      env: { WARDEN_SOCKET: daemon.socket, SSH_ASKPASS: '/nonexistent/askpass' },
    });
    expect(result).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--confirm asks through /nonexistent/askpass'),
    });
  });
});
