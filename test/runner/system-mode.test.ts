import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AnyonesPrograms, anyonesPrograms } from '../support/anyones-programs.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Tmux } from '../support/tmux.ts';
import { type AccountView, accountView, PASSWORD } from './account.ts';
import { WARDEND_UID } from './spawner.ts';
import { CALLER, isRoot, removeFolder } from './support.ts';

const GROUP = CALLER.gid;

/** A daemon as its unit has it: under a uid of its own, with a spawner beside it, and callers of another uid. */
describe.runIf(isRoot)('a system daemon of its own uid (needs root)', () => {
  let programs: AnyonesPrograms;
  let house: House;
  let spawner: ChildProcess;
  let daemon: RunningDaemon;
  let view: AccountView;
  const values = `/dev/shm/warden-system-${process.pid}`;
  beforeAll(async () => {
    view = await accountView();
    programs = anyonesPrograms();
    house = makeHouse();
    writeConfig(house, {
      warden: `version: 1\nposture: dev\nsocket: { mode: "0660", group: ${GROUP} }\n`,
      inventory: `version: 1
actors:
  - { name: agt-hub, type: agt, principals: [p], maturity: M1, tenant: "tenant:hub", callers: [{ uid: ${CALLER.uid} }] }
`,
    });
    writeFileSync(
      join(house.config, 'routes.yaml'),
      `version: 1
routes:
  - id: token
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: m, path: p, fields: [token] } }
    exec_capable: true
    inject: [{ field: token, env: TOKEN }, { field: token, file: TOKEN_FILE }]
    actors: [agt-hub]
  - id: who
    owner: another
    lane: tool
    tool: { argv: [sh, -c, 'id -u; id -g; id -G; pwd; env | sort', "{actor}"] }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    actors: [agt-hub]
`,
    );
    const run = join(house.folder, 'run');
    mkdirSync(run, { recursive: true });
    for (const [path, mode] of [
      [house.folder, 0o755],
      [house.config, 0o755],
      [run, 0o711],
    ] as const)
      chmodSync(path, mode);
    for (const name of readdirSync(house.config))
      chmodSync(join(house.config, name), name.endsWith('.yaml') ? 0o644 : 0o600);
    chownSync(join(house.config, 'ca_ed25519'), WARDEND_UID, WARDEND_UID);
    chownSync(house.state, WARDEND_UID, WARDEND_UID);
    chownSync(run, WARDEND_UID, GROUP);
    await startSpawner();
    daemon = await startDaemon({
      house,
      through: [
        ...view.through,
        ...['setpriv', '--reuid', `${WARDEND_UID}`, '--regid', `${GROUP}`, '--clear-groups'],
        // As the unit gives it: to see callers of other users.
        ...['--inh-caps=+sys_ptrace', '--ambient-caps=+sys_ptrace', '--'],
      ],
      program: programs.wardend,
      args: ['--spawner', spawnerPath()],
    });
  });
  afterAll(async () => {
    await daemon?.stop();
    spawner?.kill();
    house?.remove();
    programs?.remove();
    removeFolder(values);
    await view?.close();
  });

  const spawnerPath = (): string => join(house.folder, 'spawner.sock');

  async function startSpawner(): Promise<void> {
    const [enter = '', ...into] = view.through;
    spawner = spawn(
      enter,
      [
        ...[...into, process.execPath, programs.spawner],
        ...['--user', `${WARDEND_UID}`, '--socket', spawnerPath(), '--wardend-socket', house.socket],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', env: { PATH: process.env.PATH, RUNTIME_DIRECTORY: values } },
    );
    if (spawner.stderr === null) throw new Error('stderr is a pipe');
    await once(createInterface({ input: spawner.stderr }), 'line');
  }

  /** `warden` as the caller, in a folder of its own choice. */
  function asCaller(): string[] {
    const who = ['--reuid', `${CALLER.uid}`, '--regid', `${GROUP}`, '--groups', CALLER.groups.join(',')];
    return [...view.through, 'env', '-C', '/usr/share', 'setpriv', ...who, '--', process.execPath, programs.warden];
  }

  async function warden(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const [file = '', ...before] = asCaller();
    const child = spawn(file, [...before, ...args], {
      env: { PATH: '/usr/bin:/bin', WARDEN_SOCKET: house.socket, HOME: '/nonexistent' },
    });
    let [stdout, stderr] = ['', ''];
    child.stdin.end('typed');
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }
  const records = (): Record<string, unknown>[] =>
    readFileSync(join(house.state, 'signatures.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  test('runs a command as its caller, through the spawner, masked, with its exit code, on record', async () => {
    const script =
      'id -u; id -G; pwd; cat; echo " $TOKEN"; stat -c "%u %a" "$TOKEN_FILE"; grep CapEff /proc/self/status; exit 9';
    const { code, stdout, stderr } = await warden('exec', '--route', 'token', '--', 'sh', '-c', script);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      `${CALLER.uid}`,
      [GROUP, ...CALLER.groups].join(' '),
      '/usr/share',
      'typed [masked:token]',
      `${CALLER.uid} 600`,
      `CapEff:\t${'0'.repeat(16)}`,
      '',
    ]);
    expect(code).toBe(9);
    expect(records().at(-1)).toMatchObject({ kind: 'exec_end', exit_code: 9, caller: { uid: CALLER.uid } });
    expect(readdirSync(join(values, 'values'))).toEqual([]);
  });
  test.each([
    ['no-such-command', 127],
    ['/etc/passwd', 126],
  ])('%s is not started: %d', async (name, code) => {
    expect(await warden('exec', '--route', 'token', '--', name)).toMatchObject({ code });
  });
  test('at a terminal: size, resize, Ctrl-C, masked, exit code; sudo asks for a password and does not show it', async () => {
    const terminal = new Tmux(
      { columns: 100, rows: 30 },
      { WARDEN_SOCKET: house.socket, EXEC: `${asCaller().join(' ')} exec --route token --` },
    );
    try {
      await terminal.shows(/[#$]$/m);
      terminal.type(`clear; $EXEC env PS1='inner> ' sh; echo "code=$?"`);
      await terminal.shows(/^inner>$/m);
      terminal.type('stty size; id -u; echo "it is $TOKEN"; stat -c %u "$(tty)"');
      await terminal.shows(new RegExp(`^30 100\n${CALLER.uid}\nit is \\[masked:token\\]\n${CALLER.uid}$`, 'm'));
      terminal.resize(80, 24);
      // A size comes by a signal, and what is typed by itself: which of them is first is nobody's promise.
      terminal.type('clear; until [ "$(stty size)" = "24 80" ]; do sleep 0.05; done; stty size');
      await terminal.shows(/^24 80$/m);
      terminal.type(`clear; sh -c 'echo sleeps; exec sleep 1000'`);
      await terminal.shows(/^sleeps$/m);
      terminal.type('C-c', { enter: false });
      terminal.type('echo "job $?"');
      await terminal.shows(/job 130$/m);
      terminal.type('exit 4');
      await terminal.shows(/^code=4$/m);

      terminal.type(`clear; env PS1='jobs> ' bash --norc --noprofile`);
      await terminal.shows(/^jobs>$/m);
      terminal.type(
        `clear; $EXEC python3 -c 'import os, signal, sys; signal.signal(signal.SIGCONT, lambda *_: sys.exit("went on")); print("runs as", os.getuid(), flush=True); signal.pause()'`,
      );
      await terminal.shows(new RegExp(`^runs as ${CALLER.uid}$`, 'm'));
      terminal.type('C-z', { enter: false });
      await terminal.shows(/Stopped/);
      terminal.type('clear; fg; echo "code=$?"');
      await terminal.shows(/^went on\ncode=1$/m);
      terminal.type('exit');
      await terminal.shows(/[#$]$/m);

      terminal.type(
        `clear; $EXEC sudo -k --preserve-env=TOKEN -p 'word of %u: ' sh -c 'id -u; echo "root sees $TOKEN"; exit 6'; echo "sudo=$?"`,
      );
      await terminal.shows(/^word of typist: *$/m);
      terminal.type(PASSWORD);
      const screen = await terminal.shows(/^sudo=6$/m);
      expect(screen).toMatch(/^0\nroot sees \[masked:token\]$/m);
      expect(screen).not.toContain('sesame');
    } finally {
      await terminal.close();
    }
  });
  test('walks a tool lane as its caller, too', async () => {
    const { code, stdout, stderr } = await warden('fetch', 'who');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [uid, gid, groups, cwd, ...env] = stdout.split('\n');
    expect([uid, gid, groups, cwd]).toEqual([
      `${CALLER.uid}`,
      `${GROUP}`,
      [GROUP, ...CALLER.groups].join(' '),
      '/usr/share',
    ]);
    expect(env.map((line) => line.split('=')[0]).filter((name) => name !== '')).toEqual(
      expect.arrayContaining(['HOME', 'LANG', 'LOGNAME', 'PATH', 'USER']),
    );
    expect(env.join()).not.toMatch(/WARDEN|NODE/);
  });
  describe('a spawner that goes', () => {
    /** While a command runs that has an end of its own for SIGTERM. */
    async function gone(how: NodeJS.Signals): ReturnType<typeof warden> {
      const mark = `/dev/shm/warden-system-${process.pid}-${how}`;
      const script = `trap "exit 3" TERM; : > ${mark}; while :; do sleep 0.05; done`;
      const ran = warden('exec', '--route', 'token', '--', 'sh', '-c', script);
      await vi.waitUntil(() => existsSync(mark), 20_000);
      rmSync(mark);
      const ended = once(spawner, 'exit');
      spawner.kill(how);
      await ended;
      return ran;
    }

    test('as asked: its commands are asked to end, and how they did is told', async () => {
      const ran = await gone('SIGTERM');
      await startSpawner();
      // A shell may say of its own child that it was terminated.
      expect(ran).toMatchObject({ code: 3, stdout: '' });
      expect(records().at(-1)).toMatchObject({ kind: 'exec_end', outcome: 'ok', exit_code: 3 });
    });
    test('killed: nobody claims to know how its command ended', async () => {
      const { code, stderr } = await gone('SIGKILL');
      expect({ code, stderr }).toEqual({
        code: 125,
        stderr: expect.stringMatching(/: nobody knows how it ended\n {2}why: spawner_lost · ledger \d+/),
      });
      const last = records().at(-1);
      expect(last).toMatchObject({ kind: 'exec_end', outcome: 'failed', reason: 'spawner_lost' });
      expect(last).not.toHaveProperty('exit_code');
    });
  });
  test('without a spawner it says so, and releases nothing', async () => {
    const { code, stdout, stderr } = await warden('exec', '--route', 'token', '--', 'true');
    expect([code, stdout]).toEqual([125, '']);
    expect(stderr).toMatch(/why: spawner_unavailable/);
    expect(records().at(-1)).toMatchObject({ outcome: 'failed', reason: 'spawner_unavailable' });
    rmSync(values, { recursive: true, force: true });
  });
});
