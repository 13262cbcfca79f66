// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a shell's variables are what is meant.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lastRecord, recordsOf, tempFolder } from '../access/support.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { exec, execDaemon, sh, start } from './support.ts';

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await execDaemon(undefined, { OF_THE_DAEMON: 'x', NODE_OPTIONS: '--no-warnings' });
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

const plain = (script: string, ...args: string[]): string[] => ['--route', 'plain', ...sh(script, ...args)];

describe('$ warden exec', () => {
  test('the command has the value, and its output does not show it', async () => {
    const script = 'test ${#TOKEN} -gt 20 && echo "it is $TOKEN" && echo "err $TOKEN" >&2; exit 7';
    const result = await exec(daemon, plain(script));
    expect(result).toEqual({ code: 7, stdout: 'it is [masked:plain]\n', stderr: 'err [masked:plain]\n' });
    const [first, second] = recordsOf(daemon.house).slice(-2);
    const common = {
      actor: 'agt-m1',
      actor_type: 'agt',
      subject: 'agt-m1',
      tenant: 'tenant:platform',
      posture: 'dev',
      route: 'plain',
      workload_maturity: 'M1',
      command: expect.stringMatching(/^\/(usr\/)?bin\/(sh|dash)$/),
      argv_hmac: expect.stringMatching(/^[0-9a-f]{64}$/),
      outcome: 'ok',
    };
    expect(first).toMatchObject({
      ...common,
      kind: 'exec_start',
      owner: 'openbao',
      required_maturity: 'M0',
      data_class: 'synthetic',
      openbao_path: 'platform/data/of/plain',
      populated_key_count: 2,
      policy_effect: 'not_asked',
    });
    expect(second).toMatchObject({
      ...common,
      kind: 'exec_end',
      exit_code: 7,
      bytes: expect.any(Number),
      duration_ms: expect.any(Number),
      request_id: first?.request_id,
    });
    expect(second?.argv_hmac).toBe(first?.argv_hmac);
  });

  test('another command line has another digest, and the same one the same', async () => {
    const digestOf = async (word: string): Promise<unknown> => {
      await exec(daemon, plain('exit 0', word));
      return lastRecord(daemon.house).argv_hmac;
    };
    expect(await digestOf('a')).toBe(await digestOf('a'));
    expect(await digestOf('a')).not.toBe(await digestOf('b'));
  });

  test.each<[string, string[], number, RegExp]>([
    ['its own exit code', plain('exit 42'), 42, /^$/],
    ['128+n for a signal', plain('kill -TERM $$'), 143, /^$/],
    ['also for SIGKILL', plain('kill -KILL $$'), 137, /^$/],
    ['127 where there is no such command', ['--route', 'plain', '--', 'there-is-no-such'], 127, /command_not_found/],
    ['127 where there is no such file', ['--route', 'plain', '--', './no/such'], 127, /command_not_found/],
    ['126 for a folder', ['--route', 'plain', '--', '/'], 126, /command_not_executable/],
    ['126 for a file without x', ['--route', 'plain', '--', './config/warden.yaml'], 126, /command_not_executable/],
    ['125 for a route that is not there', ['--route', 'nonesuch', '--', 'true'], 125, /route_not_allowed/],
    ["125 for another's", ['--route', 'of-another', '--', 'true'], 125, /route_not_allowed/],
    [
      "125 for another's actor",
      ['--route', 'plain', '--actor', 'agt-foreign', '--', 'true'],
      125,
      /caller_not_allowed/,
    ],
    ['125 for a command that is not listed', ['--route', 'listed', '--', 'ls'], 125, /command_not_allowed/],
    ['125 for arguments that are not', ['--route', 'listed', '--', 'echo', 'bye'], 125, /command_not_allowed/],
    [
      '125 where one of two routes does not list it',
      ['--route', 'plain', '--route', 'listed', '--', 'ls'],
      125,
      /command_not_allowed/,
    ],
    [
      '125 for --no-mask where it is not allowed',
      ['--route', 'both', '--no-mask', '--', 'true'],
      125,
      /masking_required/,
    ],
    [
      '125 where two routes want one variable',
      ['--route', 'plain', '--route', 'short', '--', 'true'],
      125,
      /TOKEN would be filled by both plain and short/,
    ],
    [
      '125 where the route injects nothing',
      ['--route', 'no-inject', '--', 'true'],
      125,
      /does not say how its fields reach a command/,
    ],
    ['125 without a command', ['--route', 'plain'], 125, /warden exec needs COMMAND/],
    ['125 without dashes', ['--route', 'plain', 'true'], 125, /put -- before the command/],
    ['125 without a route', ['--', 'true'], 125, /no route is named/],
    ['125 for an option that is none', ['--rout', 'plain', '--', 'true'], 125, /did you mean --route/],
    [
      '125 without a daemon',
      ['--socket', '/nonexistent/s', '--route', 'plain', '--', 'true'],
      125,
      /daemon_unreachable/,
    ],
  ])('ends with %s', async (_name, args, code, stderr) => {
    const result = await exec(daemon, args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(stderr);
  });

  test('with --json the cause of a refusal is on stdout', async () => {
    const { code, stdout, stderr } = await exec(daemon, ['--json', '--route', 'listed', '--', 'ls']);
    expect({ code, stderr }).toEqual({ code: 125, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      error: { kind: 'refused', reason: 'command_not_allowed', hint: 'listed allows /bin/echo hello **; /bin/cat' },
    });
  });

  test('nothing that is refused is started, and each refusal is on record', async () => {
    const marker = join(tempFolder(), 'started');
    const touch = ['--', 'touch', marker];
    for (const [args, reason] of [
      [['--route', 'nonesuch'], 'route_not_allowed'],
      [['--route', 'plain', '--route', 'of-another'], 'route_not_allowed'],
      [['--route', 'listed'], 'command_not_allowed'],
      [['--route', 'both', '--no-mask'], 'masking_required'],
      [['--route', 'no-inject'], 'route_unusable'],
    ] as const) {
      expect((await exec(daemon, [...args, ...touch])).code).toBe(125);
      expect(lastRecord(daemon.house)).toMatchObject({ kind: 'exec_start', outcome: 'refused', reason });
      expect(lastRecord(daemon.house)).not.toHaveProperty('certificate_issued');
    }
    expect(existsSync(marker)).toBe(false);
    expect((await exec(daemon, ['--route', 'plain', ...touch])).code).toBe(0);
    expect(existsSync(marker)).toBe(true);
  });

  test('a listed command runs under either name of its folder, and for each route that lists it', async () => {
    const args = ['--route', 'listed', '--route', 'plain', '--'];
    expect(await exec(daemon, [...args, 'echo', 'hello', 'you'])).toEqual({
      code: 0,
      stdout: 'hello you\n',
      stderr: '',
    });
    expect(await exec(daemon, [...args, '/usr/bin/echo', 'hello'])).toMatchObject({ code: 0 });
  });

  test('a link of a listed name to another program is another program; one to a listed program is, too', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'echo'), '#!/bin/sh\necho stolen\n', { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env.PATH}` };
    expect(await exec(daemon, ['--route', 'listed', '--', 'echo', 'hello'], { env })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`${folder}/echo is not a command that may run with listed`),
    });
  });

  test('stdin and stdout are binary, and the end of stdin is carried over', async () => {
    const bytes = randomBytes(3 * 1024 * 1024 + 17);
    const result = await start(daemon, ['--route', 'plain', '--', 'cat'], { stdin: bytes }).ended;
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const digest = (of: Buffer): string => createHash('sha256').update(of).digest('hex');
    expect(digest(result.stdout)).toBe(digest(bytes));
  });

  test('an empty stdin is empty, and --no-stdin leaves what there is to others', async () => {
    expect(await exec(daemon, ['--route', 'plain', '--', 'cat'], { stdin: '' })).toMatchObject({ code: 0, stdout: '' });
    expect(await exec(daemon, ['--route', 'plain', '--no-stdin', '--', 'cat'], { stdin: 'kept' })).toMatchObject({
      code: 0,
      stdout: '',
    });
  });

  test('it runs in the folder of its caller', async () => {
    const cwd = tempFolder();
    expect(await exec(daemon, plain('pwd -P'), { cwd })).toMatchObject({ stdout: `${cwd}\n` });
    mkdirSync(join(cwd, 'bin'));
    writeFileSync(join(cwd, 'bin', 'tool'), '#!/bin/sh\necho "$0 $1"\n', { mode: 0o755 });
    expect(await exec(daemon, ['--route', 'plain', '--', 'bin/tool', 'x'], { cwd })).toMatchObject({
      stdout: `${cwd}/bin/tool x\n`,
    });
  });
});

test('--no-network: the command is alone with its loopback', async () => {
  const [own, alone] = [
    await exec(daemon, plain('readlink /proc/self/ns/net')),
    await exec(daemon, ['--no-network', ...plain('readlink /proc/self/ns/net; ls /sys/class/net; exit 3')]),
  ];
  expect(own).toMatchObject({ code: 0, stdout: `${readlinkSync('/proc/self/ns/net')}\n` });
  expect(alone).toMatchObject({ code: 3, stderr: '' });
  expect(alone.stdout).toMatch(/^net:\[\d+\]\n/);
  expect(alone.stdout.split('\n')[0]).not.toBe(own.stdout.trim());
});

describe('the environment of a command', () => {
  const environmentOf = async (args: string[], env: Record<string, string>): Promise<Record<string, string>> => {
    const { stdout, stderr } = await exec(daemon, [...args, '--', 'env', '-0'], { env });
    expect(stderr).toBe('');
    return Object.fromEntries(
      stdout
        .split('\0')
        .filter(Boolean)
        .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
  };
  const mine = {
    BAO_TOKEN: 'b',
    VAULT_ADDR: 'v',
    LD_LIBRARY_PATH: '/x',
    NOTIFY_SOCKET: '/n',
    LISTEN_FDS: '3',
    CREDENTIALS_DIRECTORY: '/c',
    EDITOR: 'vi',
    ODD: 'a=b\nc',
    TOKEN: 'mine',
    LANG: 'C',
    TERM: 'dumb',
  };

  test('is the caller’s, less what is kept back, plus what the routes inject, and nothing of the daemon’s', async () => {
    const { PATH = '' } = process.env;
    expect(await environmentOf(['--route', 'plain'], mine)).toEqual({
      PATH,
      HOME: '/nonexistent',
      LC_ALL: 'C.UTF-8',
      EDITOR: 'vi',
      ODD: 'a=b\nc',
      LANG: 'C',
      TERM: 'dumb',
      TOKEN: '[masked:plain]',
    });
  });

  test('with --pristine is next to nothing', async () => {
    expect(Object.keys(await environmentOf(['--route', 'plain', '--pristine'], mine)).sort()).toEqual(
      ['HOME', 'LANG', 'LC_ALL', 'PATH', 'TERM', 'TOKEN'].sort(),
    );
  });

  test('has what --env-file adds, references and plain values, under --pristine too', async () => {
    const file = join(tempFolder(), '.env');
    writeFileSync(file, '# mine\nPORT=8080\nexport DB="warden://leased/password"\nA=warden://both/a\nNAME=\'x y\'\n');
    const env = await environmentOf(['--pristine', '--env-file', file], { EDITOR: 'vi' });
    expect(env).toMatchObject({ PORT: '8080', NAME: 'x y', DB: '[masked:leased]', A: '[masked:both]' });
    expect(env).not.toHaveProperty('EDITOR');
    expect(env).not.toHaveProperty('USER_B');
  });

  test.each([
    ['a line that is none', 'A=1\nwhat', /\.env:2: no NAME=value/],
    ['a route that is not there', 'A=warden://nonesuch', /route_not_allowed/],
    ['a field that is not there', 'A=warden://both/c', /both has no field c/],
    ['no field of several', 'A=warden://both', /both has several fields, and A names none/],
    ['a field that comes as a file', 'A=warden://by-file/a', /by-file does not give a as a variable/],
    ['a variable that is not for secrets', 'LD_PRELOAD=warden://both/a', /LD_PRELOAD is not for secrets/],
    ['a plain variable that is kept back', 'NODE_OPTIONS=--inspect', /NODE_OPTIONS is kept back/],
  ])('--env-file with %s is refused', async (_name, text, stderr) => {
    const file = join(tempFolder(), '.env');
    writeFileSync(file, text);
    const result = await exec(daemon, ['--route', 'plain', '--env-file', file, '--', 'true']);
    expect(result).toMatchObject({ code: 125, stdout: '' });
    expect(result.stderr).toMatch(stderr);
  });
});

describe('other ways to a value', () => {
  test('a file that only the command’s user reads, gone afterwards', async () => {
    const result = await exec(daemon, [
      '--route',
      'by-file',
      ...sh('stat -c %a "$TOKEN_FILE"; cat "$TOKEN_FILE"; echo; echo "$TOKEN_FILE"'),
    ]);
    const [mode, value, path = ''] = result.stdout.split('\n');
    expect({ mode, value }).toEqual({ mode: '600', value: '[masked:by-file]' });
    expect(path).toMatch(/^\//);
    expect(existsSync(path)).toBe(false);
  });

  test('a descriptor', async () => {
    expect(await exec(daemon, ['--route', 'by-fd', ...sh('cat <&5')])).toMatchObject({ stdout: '[masked:by-fd]' });
  });

  test('stdin, which then is nobody else’s', async () => {
    expect(await exec(daemon, ['--route', 'by-stdin', '--', 'cat'])).toMatchObject({
      code: 0,
      stdout: '[masked:by-stdin]',
    });
    expect(await exec(daemon, ['--route', 'by-stdin', '--', 'cat'], { stdin: 'x' })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('do: add --no-stdin'),
    });
    expect(await exec(daemon, ['--route', 'by-stdin', '--no-stdin', '--', 'cat'], { stdin: 'x' })).toMatchObject({
      stdout: '[masked:by-stdin]',
    });
  });
});

test('no value is in ledger, log or argv', async () => {
  const folder = tempFolder();
  const copy = join(folder, 'value');
  const script =
    'printf %s "$TOKEN" > "$1"; cat /proc/$$/cmdline | tr "\\0" " "; cat /proc/$PPID/cmdline | tr "\\0" " "';
  const { stdout } = await exec(daemon, [...plain(script, copy), 'x']);
  const value = readFileSync(copy, 'utf8');
  expect(value).toMatch(/^synthetic-[0-9a-f]{24}$/);
  const opaque = value.slice('synthetic-'.length);
  expect(stdout).not.toContain('[masked');
  for (const text of [
    stdout,
    readFileSync(join(daemon.house.state, 'signatures.log'), 'utf8'),
    daemon.stderr.join('\n'),
  ]) {
    expect(text).not.toContain(opaque);
    expect(text).not.toContain(Buffer.from(opaque).toString('base64').slice(0, 20));
  }
});
