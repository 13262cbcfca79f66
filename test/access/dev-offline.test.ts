import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { houseWith, lastRecord, tempFolder } from './support.ts';

/** The whole dev flow that touches what is outside elsewhere: certificate, gate, store, tools. */
async function everything(daemon: RunningDaemon, through: readonly string[] = []): Promise<void> {
  const env = { WARDEN_SOCKET: daemon.socket };
  const key = join(tempFolder(), 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  for (const args of [
    ['sign', 'agt-m3', '--pubkey', `${key}.pub`],
    ['fetch', 'npm-publish', '--actor', 'agt-m3'],
    ['fetch', 'registry-login', '--actor', 'agt-m3', '--json'],
    ['fetch', 'npm-by-tool', '--actor', 'agt-m3'],
    ['fetch', 'kc-login', '--actor', 'agt-m3'],
    ['access', 'npm-publish', '--actor', 'agt-m3', '--ask'],
    ['status'],
  ]) {
    expect(await warden(args, { env, through }), args.join(' ')).toMatchObject({ code: 0, stderr: '' });
  }
}

/** Addresses that would be somebody's if the dev posture were to use them. */
const WARDEN = `version: 1
posture: dev
policy: { enabled: true, flex_auth_url: "https://192.0.2.1:8443", gate: [sign] }
openbao:
  address: https://192.0.2.2:8200
  login: { method: token_file, token_file: never-read }
`;

describe('the dev posture opens no outside connection', () => {
  test('seen by strace: nothing but Unix sockets is connected to or sent to, tools included', async () => {
    const trace = join(tempFolder(), 'trace');
    const house = houseWith({ warden: WARDEN });
    const through = ['strace', '-f', '-qq', '-o', trace, '-e', 'trace=connect,sendto,sendmsg,sendmmsg,socket'];
    const daemon = await startDaemon({ house, through });
    try {
      await everything(daemon);
    } finally {
      const status = await warden(['status', '--json'], { env: { WARDEN_SOCKET: daemon.socket } });
      process.kill(Number(json(status).pid), 'SIGTERM');
      // strace ends with what it watches; a signal of its own would make it let go.
      await daemon.stop('SIGCONT');
      house.remove();
    }
    const calls = readFileSync(trace, 'utf8').split('\n');
    const named = calls.filter((line) => /\b(connect|sendto|sendmsg|sendmmsg)\(/.test(line));
    expect(named.filter((line) => /sa_family=AF_/.test(line) && !/sa_family=AF_UNIX/.test(line))).toEqual([]);
    expect(calls.filter((line) => /\bsocket\(AF_(?!UNIX)/.test(line))).toEqual([]);
    // It was looked at at all.
    expect(calls.some((line) => /\bsocket\(AF_UNIX/.test(line))).toBe(true);
  });

  test('in a network namespace without any interface everything works', async () => {
    const house = houseWith({ warden: WARDEN });
    const daemon = await startDaemon({ house, through: ['unshare', '--net'] });
    try {
      // The client too: a caller of another namespace would not get a tool.
      await everything(daemon, ['nsenter', `--net=/proc/${daemon.pid}/ns/net`]);
      expect(lastRecord(house)).toMatchObject({ posture: 'dev' });
    } finally {
      await daemon.stop();
      house.remove();
    }
  });
});

describe('a tool that is not what the route thinks', () => {
  const tool = (argv: string, output = '') => `version: 1
routes:
  - id: t
    owner: another
    lane: tool
    tool: { argv: ${argv}${output} }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    actors: [agt-m3]
`;
  test.each([
    ['ends with a code', '[sh, -c, "exit 3"]', '', 'tool_failed', 'sh ended with exit code 3'],
    ['is not there', '[no-such-tool]', '', 'tool_failed', 'there is no program no-such-tool'],
    ['says nothing', '["true"]', '', 'secret_missing', 'the tool gave no value'],
    ['writes no end', '[sh, -c, "yes | head -c 2000000"]', '', 'tool_failed', 'sh wrote more than 1048576 bytes'],
    ['gives no JSON', '[echo, x]', ', output: { format: json, field: a }', 'tool_failed', 'not one JSON object'],
    ['gives other JSON', '[echo, "{}"]', ', output: { format: json, field: a }', 'secret_missing', 'no field a'],
  ])('%s: refused, and nothing of its output is shown', async (_what, argv, output, reason, words) => {
    const house = houseWith({ routes: tool(argv, output) });
    const daemon = await startDaemon({ house });
    try {
      const result = await warden(['fetch', 't', '--actor', 'agt-m3'], { env: { WARDEN_SOCKET: daemon.socket } });
      expect(result.stdout).toBe('');
      expect(result.stderr).toContain(words);
      expect(lastRecord(house)).toMatchObject({ kind: 'fetch', route: 't', reason });
    } finally {
      await daemon.stop();
      house.remove();
    }
  });

  test('runs in the folder of the caller, with its ids and an environment that holds nothing of the daemon', async () => {
    const house = houseWith({ routes: tool('[sh, -c, "pwd; id -u; id -G; env"]') });
    const daemon = await startDaemon({ house, env: { SECRET_OF_THE_DAEMON: 'canary' } });
    const cwd = tempFolder();
    mkdirSync(join(cwd, 'sub'));
    writeFileSync(join(cwd, 'sub', 'file'), '');
    try {
      const result = await warden(['fetch', 't', '--actor', 'agt-m3'], {
        cwd: join(cwd, 'sub'),
        env: { WARDEN_SOCKET: daemon.socket, LD_PRELOAD: '', MINE: 'of the caller' },
      });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const [pwd, id, groups, ...env] = result.stdout.split('\n');
      expect(pwd).toBe(join(cwd, 'sub'));
      expect(id).toBe(String(process.getuid?.()));
      expect(new Set(groups?.split(' ').map(Number))).toEqual(
        new Set([process.getgid?.(), ...(process.getgroups?.() ?? [])]),
      );
      expect(
        env
          .map((line) => line.split('=')[0])
          .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? ''))
          .sort(),
      ).toEqual(['HOME', 'LANG', 'LOGNAME', 'PATH', 'USER']);
    } finally {
      await daemon.stop();
      house.remove();
    }
  });

  test('is no way out of a sandbox: a confined caller is refused unless the route allows it', async () => {
    const house = houseWith({});
    const daemon = await startDaemon({ house });
    const fetch = (through: readonly string[]) =>
      warden(['fetch', 'kc-login', '--actor', 'agt-m3'], { env: { WARDEN_SOCKET: daemon.socket }, through });
    try {
      for (const [through, what] of [
        [['setpriv', '--no-new-privs'], 'no_new_privs'],
        [['setpriv', '--bounding-set', '-net_raw'], 'fewer capabilities'],
        [['unshare', '--mount'], 'another mnt namespace'],
      ] as const) {
        const refused = await fetch(through);
        expect(refused).toMatchObject({ code: 1, stdout: '' });
        expect(refused.stderr).toContain(what);
        expect(lastRecord(house)).toMatchObject({ kind: 'fetch', route: 'kc-login', reason: 'caller_confined' });
      }
      expect((await fetch([])).code).toBe(0);
      const path = join(house.config, 'routes.yaml');
      writeFileSync(
        path,
        readFileSync(path, 'utf8').replace('id: kc-login\n', 'id: kc-login\n    allow_confined_caller: true\n'),
      );
      await warden(['reload'], { env: { WARDEN_SOCKET: daemon.socket } });
      expect((await fetch(['setpriv', '--no-new-privs'])).code).toBe(0);
    } finally {
      await daemon.stop();
      house.remove();
    }
  });
});
