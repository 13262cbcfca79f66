import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { houseWith } from '../access/support.ts';
import { publicHouse } from '../e2e/support.ts';
import { type AnyonesPrograms, anyonesPrograms } from '../support/anyones-programs.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';

// Numbers that no account of a machine has.
const CALLER = 54_521;
const OTHER = 54_522;
const GROUP = 54_531;

const isRoot = process.getuid?.() === 0;
let programs: AnyonesPrograms;
let house: House;
let daemon: RunningDaemon;
/** A command of CALLER that has its secrets, and does nothing with them. */
let command: { pid: number; token: string; file: string; stop(): void };
let folder: string;

const as = (uid: number, script: string, ...args: string[]) =>
  spawnSync(
    'setpriv',
    [
      `--reuid=${uid}`,
      `--regid=${uid === CALLER ? GROUP : OTHER}`,
      '--clear-groups',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      ...args,
    ],
    { encoding: 'utf8', timeout: 10_000 },
  );

beforeAll(async () => {
  if (!isRoot) return;
  programs = anyonesPrograms();
  house = houseWith({
    warden: `version: 1\nposture: dev\nsocket: { mode: "0660", group: ${GROUP} }\n`,
    inventory: `version: 1
actors:
  - { name: agt-hub, type: agt, principals: [p], maturity: M1, callers: [{ uid: ${CALLER} }] }
`,
    routes: `version: 1
routes:
  - id: three
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: x, fields: [a, b, c] } }
    exec_capable: true
    allow_unmasked: true
    inject: [{ field: a, env: TOKEN }, { field: b, file: TOKEN_FILE }, { field: c, fd: 5 }]
    actors: [agt-hub]
`,
  });
  publicHouse(house);
  daemon = await startDaemon({ house });
  folder = mkdtempSync(join(tmpdir(), 'warden-attackers-'));
  const script = 'read -r line <&5; echo "$$ $TOKEN $TOKEN_FILE"; exec sleep 1000';
  const args = ['exec', '--socket', house.socket, '--route', 'three', '--no-mask', '--', 'sh', '-c', script];
  const child = spawn(
    'setpriv',
    [`--reuid=${CALLER}`, `--regid=${GROUP}`, '--clear-groups', '--', process.execPath, programs.warden, ...args],
    { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  const [pid = '', token = '', file = ''] = line.split(' ');
  command = { pid: Number(pid), token, file, stop: () => child.kill('SIGTERM') };
});
beforeEach(({ skip }) => {
  if (!isRoot) skip('only root can play other users');
});
afterAll(async () => {
  command?.stop();
  await daemon?.stop();
  house?.remove();
  programs?.remove();
  if (isRoot) rmSync(folder, { recursive: true, force: true });
});

const environment = (uid: number) => as(uid, 'tr "\\0" "\\n" < "/proc/$1/environ"', String(command.pid));
const valueFile = (uid: number) => as(uid, 'cat "$1"', command.file);
const descriptor = (uid: number) => as(uid, 'cat "/proc/$1/fd/5"', String(command.pid));
const debug = (uid: number) => as(uid, 'timeout 3 strace -qq -e trace=none -p "$1"', String(command.pid));

describe('a program of the same uid', () => {
  test('reads a value out of the environment of the command', () => {
    expect(command.token).toMatch(/^synthetic-/);
    expect(environment(CALLER).stdout).toContain(`TOKEN=${command.token}\n`);
  });

  test('reads the file that a value is in, if it finds its path', () => {
    expect(valueFile(CALLER)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^synthetic-/) });
  });

  test('finds nothing behind a descriptor that has been read', () => {
    expect(descriptor(CALLER).stdout).toBe('');
  });

  test('may debug the command where the machine lets it', () => {
    const yama = '/proc/sys/kernel/yama/ptrace_scope';
    const mayTrace = !existsSync(yama) || readFileSync(yama, 'utf8').trim() === '0';
    // 124: it was attached until its time was over.
    expect(debug(CALLER).status).toBe(mayTrace ? 124 : 1);
  });

  test('gets nothing out of the daemon', () => {
    for (const file of ['environ', 'mem', 'maps', 'fd/0']) {
      expect(as(CALLER, 'head -c 1 "/proc/$1/$2"', String(daemon.pid), file), file).toMatchObject({
        status: 1,
        stdout: '',
      });
    }
  });
});

describe('a program of another uid', () => {
  test.each<[string, (uid: number) => ReturnType<typeof as>]>([
    ['environment', environment],
    ['file', valueFile],
    ['descriptor', descriptor],
  ])('meets the kernel at the %s', (_what, attack) => {
    expect(attack(OTHER)).toMatchObject({ stdout: '', stderr: expect.stringMatching(/Permission denied/) });
  });

  test('may not debug the command', () => {
    expect(debug(OTHER)).toMatchObject({ status: 1, stderr: expect.stringContaining('not permitted') });
  });

  test('may not connect to the daemon', () => {
    const attack = as(
      OTHER,
      '"$1" "$2" exec --json --socket "$3" --route three -- true',
      process.execPath,
      programs.warden,
      house.socket,
    );
    expect(attack.status).toBe(125);
    expect(JSON.parse(attack.stdout)).toMatchObject({ error: { reason: 'daemon_unreachable' } });
  });
});

test('when the command has ended, the file is gone', async () => {
  command.stop();
  const end = performance.now() + 10_000;
  while (existsSync(command.file) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(existsSync(command.file)).toBe(false);
});
