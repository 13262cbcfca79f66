import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { descriptorBehind } from '../../daemon/attest.ts';
import { descriptorCalls } from '../../daemon/runner/descriptor-calls.ts';
import { createSpawnerRunner } from '../../daemon/runner/spawner-runner.ts';
import { encodeAsk } from '../../daemon/spawner/protocol.ts';
import type { CommandStart } from '../../src/access/command-runner.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { outcomeOf } from '../contract/command-runner.contract.ts';
import { type SpawnerHouse, spawnerHouse, WARDEND_UID } from './spawner.ts';
import { CALLER, type CallerProcess, isRoot, openFolder, untilGone } from './support.ts';

const fixture = readFileSync(fileURLToPath(new URL('./fixtures/hostile.py', import.meta.url)), 'utf8');

describe.runIf(isRoot)('wardend-spawner (needs root)', () => {
  let house: SpawnerHouse;
  let caller: CallerProcess;
  let hostile: string;
  let slow: Promise<string>;
  let library: string;
  beforeAll(async () => {
    const folder = openFolder();
    hostile = join(folder, 'hostile.py');
    library = join(folder, 'witness.so');
    house = await spawnerHouse(() => {
      writeFileSync(hostile, fixture);
      // Writes down as whom it was loaded.
      const source = `#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) void seen(void) {
  FILE *f = fopen("${folder}/witnessed", "a");
  if (f) { fprintf(f, "%d %d\\n", (int)getuid(), (int)geteuid()); fclose(f); }
}`;
      execFileSync('gcc', ['-shared', '-fPIC', '-x', 'c', '-o', library, '-'], { input: source });
      execFileSync('sh', ['-c', `: >${folder}/witnessed; chmod 666 ${folder}/witnessed; chmod 755 ${library}`]);
    });
    caller = await house.callers.call(CALLER);
    // Says nothing for as long as it is let.
    slow = saidTo([]);
  });
  afterAll(async () => {
    house?.callers.root(`rm -rf '${dirname(hostile)}'`);
    await caller?.end();
    await house?.close();
  });

  function start(argv: readonly string[], more: Partial<CommandStart> = {}) {
    const [program = ''] = argv;
    return createSpawnerRunner({ path: house.path }).start({
      program,
      argv,
      env: new Map(),
      copy: null,
      deliveries: [],
      stdin: 'caller',
      terminal: null,
      jobControl: false,
      network: true,
      connection: caller.connection,
      ...more,
    });
  }
  const works = async (): Promise<void> => {
    const { stdout } = await outcomeOf(await start(['/usr/bin/id', '-u']));
    expect(stdout.toString()).toBe(`${CALLER.uid}\n`);
  };
  const connected = async (): Promise<Socket> => {
    const socket = createConnection(house.path);
    await once(socket, 'connect');
    socket.on('error', () => {});
    return socket;
  };
  const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;

  /** What the spawner says to these pieces, after a live caller's connection and a channel were passed. */
  async function saidTo(
    pieces: readonly Buffer[],
    { end = false, channel = null as number | null, copy = null as number | null } = {},
  ): Promise<string> {
    const socket = await connected();
    const [ours, theirs] = descriptorCalls().pair();
    descriptorCalls().send(fdOf(socket), [
      descriptorBehind(caller.connection),
      channel ?? theirs,
      ...(copy === null ? [] : [copy]),
    ]);
    for (const piece of pieces) socket.write(piece);
    if (end) socket.end();
    const said = await allOf(socket);
    closeSync(ours);
    closeSync(theirs);
    return said;
  }

  /** Runs the fixture as this process's own uid, wardend's. */
  async function attack(how: string, other: string, onListening?: () => void): Promise<string> {
    const child = spawn('/usr/bin/python3', [hostile, how, house.path, house.callers.path, other], { cwd: '/' });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said === 'listening\n') onListening?.();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child, 'close');
    return said.replace('listening\n', '');
  }
  const refusal = (said: string): { code: string; message: string } => JSON.parse(said).refused;
  /** A line that it logged since `from`, or will. */
  async function logged(wanted: RegExp, from = 0): Promise<void> {
    const end = performance.now() + 10_000;
    while (!house.log.slice(from).some((line) => wanted.test(line))) {
      if (performance.now() > end) throw new Error(`${wanted} was never logged: ${house.log.slice(from).join('\n')}`);
      await pause(5);
    }
  }

  describe('does nothing for others', () => {
    test('its socket is for one user alone', async () => {
      const who = `setpriv --reuid ${CALLER.uid} --regid ${CALLER.gid} --clear-groups`;
      const connect = `/usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.connect('${house.path}'); print(s.recv(9))"`;
      expect(await house.callers.rootSays(`${who} ${connect} 2>&1 | tail -1`)).toMatch(/PermissionError/);
      expect(await house.callers.rootSays(`stat -c '%a %u' ${house.path}`)).toBe(`600 ${WARDEND_UID}\n`);
    });
    test.each([
      ['another user', () => `setpriv --reuid ${CALLER.uid} --regid ${CALLER.gid} --clear-groups`, CALLER.uid],
      ['root', () => '', 0],
    ])('%s that reaches it all the same is turned away unheard, and logged', async (_who, through, uid) => {
      house.callers.root(`chmod 777 ${house.path}`);
      const connect = `/usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.connect('${house.path}'); print(s.recv(9))"`;
      const said = await house.callers.rootSays(`${through()} ${connect} 2>&1 | tail -1`);
      house.callers.root(`chmod 600 ${house.path}`);
      expect(said).toMatch(/^b''|ConnectionResetError/);
      await logged(new RegExp(`"msg":"connection refused","uid":${uid},`));
    });
  });

  describe('starts nothing for a wardend that passes', () => {
    const other = (): string => join(house.folder, 'run', `other-${Math.random()}.sock`);
    test.each([
      ['a pair of its own', /not accepted on the socket of wardend/],
      ['a TCP connection', /no connection/],
      ['a pipe', /no connection/],
      ['a file', /no connection/],
    ])('%s', async (how, message) => {
      expect(refusal(await attack(how, ''))).toMatchObject({
        code: 'caller_not_allowed',
        message: expect.stringMatching(message),
      });
    });
    test('a connection that somebody made to another socket of its own', async () => {
      const path = other();
      const said = await attack('a connection that somebody made to another socket of its own', path, () =>
        house.callers.root(
          `setpriv --reuid ${CALLER.uid} --regid ${CALLER.gid} --clear-groups /usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.connect('${path}'); s.recv(1)" >/dev/null 2>&1 </dev/null &`,
        ),
      );
      expect(refusal(said)).toMatchObject({
        code: 'caller_not_allowed',
        message: expect.stringMatching(/not accepted on/),
      });
    });
    test('the connection of a caller that has ended', async () => {
      const gone = await house.callers.call(CALLER);
      house.callers.root(`kill -9 ${gone.pid}`);
      await untilGone(gone.pid);
      const socket = await connected();
      const [ours, theirs] = descriptorCalls().pair();
      descriptorCalls().send(fdOf(socket), [descriptorBehind(gone.connection), theirs]);
      for (const piece of encodeAsk({ kind: 'find', name: 'sh', searchPath: '/bin' })) socket.write(piece);
      const said = await allOf(socket);
      expect(refusal(said)).toMatchObject({ code: 'caller_gone' });
      closeSync(ours);
      closeSync(theirs);
      gone.socket.destroy();
    });
    test('a connection of root', async () => {
      const root = await house.callers.call({ uid: 0, gid: 0, groups: [] });
      await expect(start(['/bin/sh', '-c', 'id -u'], { connection: root.connection })).rejects.toMatchObject({
        code: 'caller_not_allowed',
        message: 'commands as root are not allowed: see --allow-root',
      });
      await root.end();
    });
    test('a channel that is no pair of its own, or no socket', async () => {
      const ask = [
        ...encodeAsk({
          kind: 'start',
          program: '/bin/sh',
          copied: false,
          args: [],
          env: new Map(),
          stdin: null,
          files: new Map(),
          descriptors: new Map(),
          terminal: null,
          jobControl: false,
          network: true,
        }),
      ];
      const file = openSync('/dev/null', 'r+');
      expect(await saidTo(ask, { channel: file })).toBe('');
      closeSync(file);
      expect(await saidTo(ask, { channel: descriptorBehind(caller.connection) })).toBe('');
      await logged(/the channel is not of the making of wardend/);
    });
    test('a copy to execute that can still be written, that nobody named, or none that is named', async () => {
      const ask = (copied: boolean): Buffer[] => asked({ ...START, copied });
      const from = house.log.length;
      const file = openSync('/bin/true', 'r');
      expect(await saidTo(ask(true), { copy: file })).toBe('');
      await logged(/what is to be executed is not sealed/, from);
      expect(await saidTo(ask(false), { copy: file })).toBe('');
      expect(await saidTo(ask(true))).toBe('');
      expect(await saidTo([...encodeAsk({ kind: 'find', name: 'sh', searchPath: '/bin' })], { copy: file })).toBe('');
      await logged(/a copy that nobody named, or none/, from);
      closeSync(file);
      await works();
    });
    test('no descriptors, one, or four', async () => {
      for (const many of [0, 1, 4]) {
        const socket = await connected();
        const [ours, theirs] = descriptorCalls().pair();
        const passed = [descriptorBehind(caller.connection), theirs, ours, ours].slice(0, many);
        if (many === 0) socket.write('x');
        else descriptorCalls().send(fdOf(socket), passed);
        const said = await allOf(socket);
        expect(said).toBe('');
        closeSync(ours);
        closeSync(theirs);
      }
      await works();
    });
  });

  const prefix = (head: number, values: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(head, 0);
    bytes.writeUInt32BE(values, 4);
    return bytes;
  };
  const asked = (head: unknown, values = Buffer.alloc(0)): Buffer[] => {
    const json = Buffer.from(typeof head === 'string' ? head : JSON.stringify(head));
    return [prefix(json.length, values.length), json, values];
  };
  const START = {
    kind: 'start',
    program: '/bin/sh',
    copied: false,
    args: [],
    env: [],
    stdin: null,
    files: [],
    descriptors: [],
    terminal: null,
    jobControl: false,
    network: true,
  };

  describe('answers nothing to what is malformed', () => {
    test.each<[string, () => Buffer[], RegExp]>([
      ['noise', () => [Buffer.alloc(100, 0xee)], /too long/],
      ['a head of 4 GiB', () => [prefix(0xffffffff, 0)], /too long/],
      ['values of 1 GiB', () => [prefix(2, 1 << 30)], /too long/],
      ['no JSON', () => asked('{"kind":'), /not JSON/],
      ['a list', () => asked([]), /no object/],
      ['an unknown kind', () => asked({ kind: 'shell' }), /no known kind/],
      ['a relative program', () => asked({ ...START, program: 'sh' }), /no absolute path/],
      ['a program with a zero byte', () => asked({ ...START, program: '/bin/sh\0x' }), /no text/],
      ['arguments that are no text', () => asked({ ...START, args: [1] }), /no text/],
      ['a variable with "=" in its name', () => asked({ ...START, env: [['A=B', 'c']] }), /no name of a variable/],
      ['a value longer than what came', () => asked({ ...START, env: [['A', 5]] }, Buffer.from('abc')), /range/],
      ['a value of negative length', () => asked({ ...START, stdin: -1 }, Buffer.from('abc')), /range/],
      ['values that nobody named', () => asked(START, Buffer.from('abc')), /nobody named/],
      ['descriptor 1', () => asked({ ...START, descriptors: [[1, 0]] }), /range/],
      ['descriptor 64', () => asked({ ...START, descriptors: [[64, 0]] }), /range/],
      ['a terminal without a size', () => asked({ ...START, terminal: {} }), /range/],
      ['a network that is no truth', () => asked({ ...START, network: 1 }), /no truth/],
    ])('%s', async (_what, pieces, why) => {
      const from = house.log.length;
      expect(await saidTo(pieces())).toBe('');
      await logged(why, from);
    });
    test('a frame that is cut short', async () => {
      expect(await saidTo(asked(START).slice(0, 1), { end: true })).toBe('');
      await logged(/cut short/);
    });
    test('many large frames at once: what does not fit is turned away, and the room is given back', async () => {
      const from = house.log.length;
      const large = [prefix(2, 16 * 1024 * 1024)];
      const cut = await Promise.all(Array.from({ length: 12 }, () => saidTo(large, { end: true })));
      expect(new Set(cut)).toEqual(new Set(['']));
      await logged(/too much at once|cut short/, from);
      const stdin = new Secret(Buffer.alloc(15 * 1024 * 1024));
      for (let i = 0; i < 10; i++) {
        const { stdout } = await outcomeOf(await start(['/usr/bin/wc', '-c'], { stdin }));
        expect(stdout.toString()).toBe(`${stdin.length}\n`);
      }
    });
    test('a frame that does not come', async () => {
      expect(await slow).toBe('');
      await logged(/too slow/);
    });
  });

  test('what the environment would load is loaded as the caller, never with privilege', async () => {
    const env = new Map([
      ['LD_PRELOAD', library],
      ['GCONV_PATH', '/nowhere'],
      ['GLIBC_TUNABLES', 'x=y'],
      ['LOCPATH', '/nowhere'],
    ]);
    const { end } = await outcomeOf(await start(['/bin/true'], { env }));
    expect(end.exitCode).toBe(0);
    const seen = readFileSync(join(library, '..', 'witnessed'), 'utf8')
      .trim()
      .split('\n');
    expect(new Set(seen)).toEqual(new Set([`${CALLER.uid} ${CALLER.uid}`]));
  });

  test('a value in a variable that would have to be put back by an argument is refused', async () => {
    for (const name of ['TMPDIR', 'LD_PRELOAD', 'MALLOC_ARENA_MAX']) {
      const env = new Map([[name, Secret.fromString('v')]]);
      await expect(start(['/bin/true'], { env })).rejects.toMatchObject({
        code: 'route_unusable',
        message: `a value cannot be given in the variable ${name}`,
      });
    }
  });

  describe('when one of the three goes', () => {
    const marker = (): string => join('/dev/shm', `warden-marker-${process.pid}-${Math.random()}`);
    const until = async (path: string): Promise<void> => {
      const end = performance.now() + 20_000;
      while (!existsSync(path)) {
        if (performance.now() > end) throw new Error(`${path} never came`);
        await pause(20);
      }
    };
    const begin = async (script: string): Promise<{ socket: Socket; pid: number; close(): void }> => {
      const socket = await connected();
      const [ours, theirs] = descriptorCalls().pair();
      descriptorCalls().send(fdOf(socket), [descriptorBehind(caller.connection), theirs]);
      const env = [['PATH', '/usr/bin:/bin']];
      for (const piece of asked({ ...START, args: ['-c', script], env })) socket.write(piece);
      const [line] = (await once(socket, 'data')) as [Buffer];
      const close = (): void => {
        closeSync(ours);
        closeSync(theirs);
      };
      return { socket, pid: JSON.parse(line.toString()).started.pid, close };
    };
    test('without wardend a command gets SIGTERM, all of its group', async () => {
      const [on, mark] = [marker(), marker()];
      const command = await begin(`trap ': >${mark}; exit' TERM; : >${on}; while :; do sleep 0.05; done`);
      await until(on);
      command.socket.destroy();
      await until(mark);
      await untilGone(command.pid);
      command.close();
    });
    test('and SIGKILL where it minds no SIGTERM', async () => {
      const on = marker();
      const command = await begin(`trap '' TERM; : >${on}; while :; do sleep 0.05; done`);
      await until(on);
      command.socket.destroy();
      await untilGone(command.pid);
      command.close();
    });
    test('nothing is left open in the spawner, and it works on', async () => {
      await works();
      const open = (): Promise<string> => house.callers.rootSays(`ls /proc/${house.pid}/fd | wc -l`);
      // Earlier tests' connections may still be closing: only the listening socket has its name then.
      const connections = (): Promise<string> => house.callers.rootSays(`grep -c ' ${house.path}$' /proc/net/unix`);
      await vi.waitUntil(async () => (await connections()).trim() === '1', 10_000);
      const before = await open();
      for (let i = 0; i < 20; i++) await saidTo([Buffer.alloc(9, 0xee)]);
      for (let i = 0; i < 20; i++) await works();
      // It lets go of a connection once its other side has.
      await vi.waitUntil(async () => (await open()) === before, 10_000);
    });
    test('a wardend that rebinds its socket has nothing but itself and those who connect there', async () => {
      house.callers.root(
        `setpriv --reuid ${CALLER.uid} --regid ${CALLER.gid} --clear-groups /usr/bin/python3 -c "import socket,time; s = socket.socket(socket.AF_UNIX); s.bind('/dev/shm/warden-service-${process.pid}'); s.listen(); time.sleep(60)" >/dev/null 2>&1 </dev/null & service=$!`,
      );
      const foreign = `/dev/shm/warden-service-${process.pid}`;
      await until(foreign);
      await house.callers.rootSays(`chmod 777 ${foreign}`);
      for (const [how, message] of [
        ['its own connection to a service of somebody else, under the name of its socket', /not accepted, but made/],
        ['a pair of its own under the name of its socket', /wardend itself/],
        ['its own connection to its socket', /wardend itself/],
        ['its listening socket', /no connection/],
        ['a datagram socket', /no connection/],
      ] as const) {
        expect(refusal(await attack(how, foreign)), how).toMatchObject({
          code: 'caller_not_allowed',
          message: expect.stringMatching(message),
        });
      }
      house.callers.root(`kill $service; rm -f ${foreign} /dev/shm/warden-marker-${process.pid}-*`);
    });
    test('without the spawner a command gets SIGTERM, and nobody claims to know how it ended', async () => {
      const [on, mark] = [marker(), marker()];
      const command = await start(
        ['/bin/sh', '-c', `trap ': >${mark}; exit' TERM; : >${on}; while :; do sleep 0.05; done`],
        {
          env: new Map([['PATH', '/usr/bin:/bin']]),
        },
      );
      command.stdout.resume();
      command.stderr?.resume();
      await until(on);
      house.callers.root(`kill -9 ${house.pid}`);
      await until(mark);
      expect(await command.ended).toBeNull();
      await expect(start(['/bin/true'])).rejects.toMatchObject({ code: 'spawner_unavailable' });
      house.callers.root(`rm -f /dev/shm/warden-marker-${process.pid}-*`);
    });
  });
});

/** Until it is closed, however. */
function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}
