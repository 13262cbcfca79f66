import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { statOf } from '../../daemon/runner/session.ts';
import type { PinnedFile } from '../../src/access/command-files.ts';
import {
  type CommandEnd,
  type CommandRunner,
  type CommandStart,
  MOST_HELD_BYTES,
  type RunningCommand,
} from '../../src/access/command-runner.ts';
import { realCommandFiles } from '../../src/access/real-command-files.ts';
import { Secret } from '../../src/kernel/secret.ts';
import type { CallerProcess, Callers, Ids } from '../runner/support.ts';
import { lives, untilGone } from '../runner/support.ts';

export interface RunnerCandidate {
  readonly name: string;
  /** Of the loops that look for lost output. */
  readonly times: number;
  /** Called in beforeAll. */
  start(): Promise<RunnerHouse>;
}

export interface RunnerHouse {
  readonly runner: CommandRunner;
  readonly callers: Callers;
  /** As whom callers call. */
  readonly ids: Ids;
  /** Where values lie while a command runs. */
  readonly valueFolders: readonly string[];
  close(): Promise<void>;
}

const PATH = '/usr/local/bin:/usr/bin:/bin';

export interface Outcome {
  readonly end: CommandEnd;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Reads all of a command, and how it ended. */
export async function outcomeOf(command: RunningCommand): Promise<Outcome> {
  const [stdout, stderr, end] = await Promise.all([
    bytesOf(command.stdout),
    command.stderr === null ? Buffer.alloc(0) : bytesOf(command.stderr),
    endOf(command),
  ]);
  return { end, stdout, stderr };
}

/** How it ended; that nobody can tell is no way to end. */
async function endOf(command: RunningCommand): Promise<CommandEnd> {
  const end = await command.ended;
  if (end === null) throw new Error('nobody can tell how it ended');
  return end;
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What every command runner must do alike. */
export function commandRunnerContract(candidate: RunnerCandidate): void {
  describe(candidate.name, () => {
    let house: RunnerHouse;
    let caller: CallerProcess;
    beforeAll(async () => {
      house = await candidate.start();
      caller = await house.callers.call(house.ids, 'umask 027; ulimit -S -n 333; ulimit -S -c 0; cd /usr/share');
    });
    afterAll(async () => {
      await caller?.end();
      await house?.close();
    });

    const TERMINAL = { columns: 91, rows: 23 };
    function start(argv: readonly string[], more: Partial<CommandStart> = {}): Promise<RunningCommand> {
      const [program = ''] = argv;
      return house.runner.start({
        program,
        argv,
        env: new Map([['PATH', PATH]]),
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
    const sh = (script: string, more: Partial<CommandStart> = {}): Promise<RunningCommand> =>
      start(['/bin/sh', '-c', script], more);
    const run = async (script: string, more: Partial<CommandStart> = {}): Promise<Outcome> => {
      const command = await sh(script, more);
      command.stdin?.end();
      return outcomeOf(command);
    };
    const said = async (script: string, more: Partial<CommandStart> = {}): Promise<string> =>
      (await run(script, more)).stdout.toString();

    describe('a command ends', () => {
      test('with its own exit code', async () => {
        for (const code of [0, 1, 2, 77, 125, 126, 127, 128, 137, 254, 255]) {
          expect((await run(`exit ${code}`)).end).toEqual({ exitCode: code, signal: null });
        }
      });
      test('by the signal that killed it', async () => {
        const deadly = Object.entries(constants.signals).filter(
          ([name]) =>
            !['SIGCHLD', 'SIGCONT', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGWINCH'].includes(name),
        );
        expect(deadly.length).toBeGreaterThan(20);
        const byNumber = new Map(deadly.map(([, number]) => [number, 0]));
        for (const number of byNumber.keys()) {
          const { end } = await run(`kill -${number} $$`);
          expect(end.exitCode, String(number)).toBeNull();
          expect(constants.signals[end.signal ?? 'SIGHUP']).toBe(number);
        }
      });
    });

    const [major = 0, minor = 0] = release().split('.').map(Number);
    test.runIf(major > 6 || (major === 6 && minor >= 15))('by a real-time signal, which Node cannot name', async () => {
      for (const number of [34, 64]) {
        expect((await run(`kill -${number} $$`)).end).toEqual({ exitCode: 128 + number, signal: null });
      }
      expect((await run('exit 0')).end).toEqual({ exitCode: 0, signal: null });
    });

    describe('what it has', () => {
      test('uid, gid and supplementary groups of the caller, and no capability', async () => {
        const text = await said('grep -E "^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb)" /proc/self/status');
        const fields = new Map(
          text
            .trim()
            .split('\n')
            .map((line) => [line.split(':')[0], line.split(/\s+/).slice(1)]),
        );
        const { uid, gid, groups } = house.ids;
        expect(fields.get('Uid')).toEqual(Array(4).fill(String(uid)));
        expect(fields.get('Gid')).toEqual(Array(4).fill(String(gid)));
        expect(fields.get('Groups')?.filter((word) => word !== '')).toEqual(groups.map(String));
        for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(fields.get(name)).toEqual(['0'.repeat(16)]);
      });
      test('working folder, umask and limits of the caller', async () => {
        expect(await said('pwd; umask; ulimit -S -n; ulimit -S -c')).toBe('/usr/share\n0027\n333\n0\n');
      });
      test('exactly the environment that was given, odd names and values too', async () => {
        const env = new Map<string, string | Secret>([
          ['PATH', PATH],
          ['npm_config_//host/:_token', 'odd name'],
          ['EMPTY', ''],
          ['TWO', 'a\nb'],
          ['TMPDIR', '/x'],
          ['LOCPATH', '/y'],
          ['UMLAUT', 'grüße'],
          ['TOKEN', Secret.fromString('s3cret')],
        ]);
        const command = await start(['/usr/bin/env', '-0'], { env });
        const { stdout } = await outcomeOf(command);
        const shown = stdout
          .toString()
          .split('\0')
          .filter((entry) => entry !== '');
        const wanted = [...env].map(([name, value]) => `${name}=${typeof value === 'string' ? value : 's3cret'}`);
        expect(shown.sort()).toEqual(wanted.sort());
      });
      test('a session and process group of its own, no terminal, and a death signal', async () => {
        const text = await said('cut -d" " -f1,5,6,7 /proc/self/stat; cat /proc/$$/stat | cut -d" " -f1,5,6,7');
        const [, session] = text.split('\n').map((line) => line.split(' '));
        expect(session).toEqual([session?.[0], session?.[0], session?.[0], '0']);
      });
      test('no descriptors but 0, 1, 2 and those that were given', async () => {
        const list =
          'import os; print(sorted(int(f) for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}")))';
        const python = (more: Partial<CommandStart>) => start(['/usr/bin/python3', '-c', list], more).then(outcomeOf);
        const given = [{ kind: 'fd' as const, descriptor: 12, value: Secret.fromString('v') }];
        expect((await python({})).stdout.toString()).toBe('[0, 1, 2]\n');
        expect((await python({ deliveries: given })).stdout.toString()).toBe('[0, 1, 2, 12]\n');
        expect((await python({ deliveries: given, terminal: TERMINAL })).stdout.toString()).toBe('[0, 1, 2, 12]\r\n');
      });
      test('real pipes, which it may open again', async () => {
        expect((await run('echo out >/dev/stdout; echo err >/dev/stderr')).stderr.toString()).toBe('err\n');
      });
      test('the default disposition of every signal', async () => {
        expect(await said('grep -E "^Sig(Blk|Ign)" /proc/self/status')).toMatch(/SigBlk:\s0{16}\nSigIgn:\s0{16}\n/);
      });
    });

    describe('pipes', () => {
      test('carry every byte, both ways and apart', async () => {
        const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
        const command = await sh('tee /dev/stderr');
        command.stdin?.end(bytes);
        const { stdout, stderr, end } = await outcomeOf(command);
        expect(stdout.equals(bytes)).toBe(true);
        expect(stderr.equals(bytes)).toBe(true);
        expect(end).toEqual({ exitCode: 0, signal: null });
      });
      test('a command that reads nothing is not an error, and holds nothing back', async () => {
        const command = await sh('exec 0<&-; echo done');
        command.stdin?.write(Buffer.alloc(1_000_000));
        expect((await outcomeOf(command)).stdout.toString()).toBe('done\n');
      });
      test('a command that closes its stdout goes on', async () => {
        const { stdout, end } = await run('echo a; exec 1>&- 2>&-; exit 7');
        expect([stdout.toString(), end.exitCode]).toEqual(['a\n', 7]);
      });
      test('a flood waits for whoever reads it', async () => {
        const command = await sh('yes');
        await new Promise((resolve) => command.stdout.once('readable', resolve));
        // As long as another command takes from start to end, it could write a hundred times as much.
        await run('exit 0');
        expect(command.stdout.readableLength).toBeLessThanOrEqual(MOST_HELD_BYTES);
        command.signal('SIGKILL');
        await run('exit 0');
        const { stdout, end } = await outcomeOf(command);
        expect(stdout.length).toBeLessThan(1024 * 1024);
        expect(end).toEqual({ exitCode: null, signal: 'SIGKILL' });
      });
      test('all output arrives before the end, over and over', async () => {
        await manyTimes(candidate.times, async () => {
          const { stdout, end } = await start(['/usr/bin/seq', '1', '300']).then(outcomeOf);
          expect([stdout.length, end.exitCode]).toEqual([1092, 0]);
        });
      });
    });

    describe('a terminal', () => {
      test('of the size of the caller’s, resized with it', async () => {
        const command = await sh('trap "stty size; exit 5" WINCH; stty size; while :; do sleep 0.02; done', {
          terminal: TERMINAL,
        });
        command.stdout.once('data', () => command.resize({ columns: 120, rows: 40 }));
        const { stdout, end } = await outcomeOf(command);
        expect(stdout.toString()).toBe('23 91\r\n40 120\r\n');
        expect(end.exitCode).toBe(5);
      });
      test('it is the controlling one, and belongs to the caller', async () => {
        const text = await said('tty; stat -c %u "$(tty)"; : >/dev/tty && echo opened', { terminal: TERMINAL });
        expect(text.split('\r\n').slice(1)).toEqual([String(house.ids.uid), 'opened', '']);
      });
      test('what is typed arrives, and its end as ^D', async () => {
        const command = await sh('read -r line; echo "got $line"; cat; exit 9', { terminal: TERMINAL });
        command.stdin?.write('hello\n');
        command.stdin?.end();
        const { stdout, end } = await outcomeOf(command);
        expect(stdout.toString()).toContain('got hello\r\n');
        expect(end.exitCode).toBe(9);
      });
      test('all output arrives before the end, over and over', async () => {
        await manyTimes(candidate.times, async () => {
          const { stdout, end } = await start(['/usr/bin/seq', '1', '300'], { terminal: TERMINAL }).then(outcomeOf);
          expect([stdout.length, end.exitCode]).toEqual([1392, 0]);
        });
      });
    });

    describe('a terminal with job control', () => {
      const JOBS = { terminal: TERMINAL, jobControl: true };
      test('a command that Ctrl-Z or it itself has stopped is told of, after all that it wrote, and goes on', async () => {
        const command = await sh('stty -echo; echo on; read x; kill -TSTP $$; echo over; exit 6', JOBS);
        const screen = new Screen(command);
        const stops: number[] = [];
        let stopped: () => void = () => {};
        command.onStop((written) => {
          stops.push(written);
          stopped();
        });
        const nextStop = (): Promise<void> => new Promise((resolve) => (stopped = resolve));
        await screen.shows(/on\r\n/);
        for (const times of [1, 2]) {
          const stop = nextStop();
          command.stdin?.write('\x1a');
          await stop;
          command.signal('SIGCONT');
          expect(stops).toHaveLength(times);
          // Signals go by way of the spawner, keys do not: SIGCONT would take back the stop of a key that came before it.
          await vi.waitUntil(() => statOf(command.pid)?.[0] !== 'T', 10_000);
        }
        const stop = nextStop();
        command.stdin?.write('\n');
        await stop;
        command.signal('SIGCONT');
        const [shown] = await screen.shows(/(?:.|\r|\n)*over\r\n/);
        // What it said before it stopped for the last time is all that came before what it said then.
        expect(stops.at(-1)).toBe('on\r\n'.length + shown.length - 'over\r\n'.length);
        expect(await endOf(command)).toEqual({ exitCode: 6, signal: null });
      });
      test('changes nothing of what a command has and how it ends', async () => {
        const env = new Map<string, string | Secret>([
          ['PATH', PATH],
          ['npm_config_//host/:_token', 'odd name'],
          ['PERL5OPT', '-Mno_such_module'],
          ['PERL_BADLANG', '1'],
          ['LC_ALL', 'no_SUCH'],
          ['UMLAUT', 'grüße'],
          ['TOKEN', Secret.fromString('s3cret')],
        ]);
        const { stdout } = await outcomeOf(await start(['/usr/bin/env', '-0'], { env, ...JOBS }));
        const shown = stdout.toString().split('\0').slice(0, -1);
        const wanted = [...env].map(([name, value]) => `${name}=${typeof value === 'string' ? value : 's3cret'}`);
        expect(shown.sort()).toEqual(wanted.sort());
        const given = [{ kind: 'fd' as const, descriptor: 12, value: Secret.fromString('value') }];
        const look = `
import os, subprocess, sys
print(sorted(int(f) for f in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{f}')))
print(open(12).read(), os.getpgrp() == os.getpid() == os.getsid(0), os.tcgetpgrp(0) == os.getpid())
print([line for line in open('/proc/self/status') if line.startswith(('SigBlk', 'SigIgn')) and line.split()[1] not in ('0' * 16, '0000000001001000')])
try: os.wait()
except ChildProcessError: print('no child')
os.kill(os.getpid(), 9)`;
        const command = await start(['/usr/bin/python3', '-c', look], { deliveries: given, ...JOBS });
        const { stdout: said, end } = await outcomeOf(command);
        expect(said.toString().split('\r\n')).toEqual(['[0, 1, 2, 12]', 'value True True', '[]', 'no child', '']);
        expect(end).toEqual({ exitCode: null, signal: 'SIGKILL' });
      });
      test('what keeps it has nothing that was given to the command, nor is in the way of its folder', async () => {
        const given = [{ kind: 'fd' as const, descriptor: 12, value: Secret.fromString('value') }];
        const look = `for p in $(pgrep -x -s $$ cat); do
          echo "keeps $(tr '\\0' ' ' < /proc/$p/environ)in $(readlink /proc/$p/cwd) with $(ls /proc/$p/fd | tr '\\n' ' ')"; done`;
        const env = new Map<string, string | Secret>([
          ['PATH', PATH],
          ['TOKEN', Secret.fromString('s3cret')],
        ]);
        const { stdout } = await outcomeOf(
          await start(['/bin/sh', '-c', `unset TOKEN; ${look}`], { env, deliveries: given, ...JOBS }),
        );
        expect(stdout.toString()).toBe('keeps in / with 0 1 2 \r\n'.repeat(2));
      });
      test('leaves nothing behind when the command has ended', async () => {
        const command = await sh('exit 0', JOBS);
        const session = `ps -o stat= -s ${command.pid} | grep -vc ^Z`;
        await outcomeOf(command);
        await vi.waitUntil(async () => (await house.callers.rootSays(session)).trim() === '0', 10_000);
      });
      test('a value in a variable that perl looks at is given all the same, without job control', async () => {
        const env = new Map([['PERL5LIB', Secret.fromString('/s3cret')]]);
        const { stdout } = await outcomeOf(await start(['/usr/bin/env', '-0'], { env, ...JOBS }));
        expect(stdout.toString()).toBe('PERL5LIB=/s3cret\0');
      });
    });

    describe('values', () => {
      const file = (text: string | Buffer): CommandStart['deliveries'] => [
        { kind: 'file', variable: 'TOKEN_FILE', value: new Secret(Buffer.from(text)) },
      ];
      const nothingLeft = async (): Promise<void> => {
        const list = `find ${house.valueFolders.join(' ')} -mindepth 1 ! -name values 2>/dev/null`;
        expect(await house.callers.rootSays(list)).toBe('');
      };
      test('in a file: of the caller alone, on a memory file system, named by the variable, gone afterwards', async () => {
        const bytes = Buffer.from([0, 255, 10, 13, 200]);
        const text = await said(
          'stat -c "%u %a" "$TOKEN_FILE"; stat -f -c %T "$TOKEN_FILE"; od -An -tu1 "$TOKEN_FILE"',
          {
            deliveries: file(bytes),
          },
        );
        expect(text).toBe(`${house.ids.uid} 600\ntmpfs\n   0 255  10  13 200\n`);
        await nothingLeft();
      });
      test('in a file whose command is killed, or removes it itself: nothing is left', async () => {
        expect((await run('kill -9 $$', { deliveries: file('v') })).end.signal).toBe('SIGKILL');
        await nothingLeft();
        expect((await run('rm -f "$TOKEN_FILE"; exit 0', { deliveries: file('v') })).end.exitCode).toBe(0);
        await nothingLeft();
      });
      test('at descriptors 3, 12 and 63, more than a pipe holds', async () => {
        const big = Buffer.alloc(300_000, 'x');
        const deliveries = [3, 12, 63].map((descriptor) => ({
          kind: 'fd' as const,
          descriptor,
          value: new Secret(Buffer.from(big)),
        }));
        const count = 'import os; print([len(open(f, "rb").read()) for f in (3, 12, 63)])';
        const { stdout } = await outcomeOf(await start(['/usr/bin/python3', '-c', count], { deliveries }));
        expect(stdout.toString()).toBe('[300000, 300000, 300000]\n');
      });
      test('at a descriptor that nobody reads: the command ends all the same', async () => {
        const deliveries = [{ kind: 'fd' as const, descriptor: 5, value: new Secret(Buffer.alloc(300_000)) }];
        expect((await run('exit 4', { deliveries })).end.exitCode).toBe(4);
      });
      test('as stdin', async () => {
        const command = await sh('cat', { stdin: new Secret(Buffer.from([1, 0, 2])) });
        expect(command.stdin).toBeNull();
        expect([...(await outcomeOf(command)).stdout]).toEqual([1, 0, 2]);
      });
      test('in no argv of any program on the way', async () => {
        const env = new Map<string, string | Secret>([
          ['PATH', PATH],
          ['TMPDIR', '/x'],
          ['TOKEN', Secret.fromString('hunter2-value')],
        ]);
        const command = await sh('tr "\\0" " " </proc/$$/cmdline; cat', { env, deliveries: file('other-value') });
        const { pid } = command;
        expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toMatch(/hunter2|other-value/);
        command.stdin?.end();
        expect((await outcomeOf(command)).stdout.toString()).not.toMatch(/hunter2|other-value/);
      });
      test.each([
        [
          'not UTF-8, in a variable',
          { env: new Map([['A', new Secret(Buffer.from([0xff, 0xfe]))]]) },
          'route_unusable',
        ],
        ['with a zero byte, in a variable', { env: new Map([['A', Secret.fromString('a\0b')]]) }, 'route_unusable'],
        [
          'at descriptor 2',
          { deliveries: [{ kind: 'fd', descriptor: 2, value: Secret.fromString('v') }] },
          'route_unusable',
        ],
        [
          'at descriptor 64',
          { deliveries: [{ kind: 'fd', descriptor: 64, value: Secret.fromString('v') }] },
          'route_unusable',
        ],
        [
          'too large for an environment',
          { env: new Map([['A', Secret.fromString('x'.repeat(3_000_000))]]) },
          'invalid_request',
        ],
      ] as const)('that cannot be handed over so are refused: %s', async (_what, more, code) => {
        await expect(sh('exit 0', more as Partial<CommandStart>)).rejects.toMatchObject({ code });
      });
      test('of a command that is not started leave nothing', async () => {
        const more = { deliveries: file('v') };
        await expect(start(['/nowhere/at-all'], more)).rejects.toMatchObject({ code: 'command_not_found' });
        await expect(start(['/etc/passwd'], more)).rejects.toMatchObject({ code: 'command_not_executable' });
        await expect(sh('exit 0', { ...more, env: new Map([['A', 'x'.repeat(3_000_000)]]) })).rejects.toMatchObject({
          code: 'invalid_request',
        });
        await nothingLeft();
      });
    });

    describe('a command is found', () => {
      const find = (name: string, searchPath = PATH): Promise<string> =>
        house.runner.find({ name, searchPath, connection: caller.connection });
      test.each([
        ['by its name, in the order of PATH', 'sh', '/nowhere:/usr/bin:/bin', '/usr/bin/sh'],
        ['by its whole path', '/bin/sh', '', '/bin/sh'],
        // The caller stands in /usr/share.
        ['by a path from the working folder', '../bin/env', '', '/usr/share/../bin/env'],
        ['in a relative folder of PATH', 'env', '../bin', '/usr/share/../bin/env'],
      ])('%s', async (_how, name, searchPath, wanted) => {
        expect(await find(name, searchPath)).toBe(wanted);
      });
      test.each([
        ['no-such-command', PATH, 'command_not_found'],
        ['', PATH, 'command_not_found'],
        ['sh', '', 'command_not_found'],
        ['/nowhere/sh', PATH, 'command_not_found'],
        ['passwd', '/etc', 'command_not_executable'],
        ['/etc', PATH, 'command_not_executable'],
        ['*', '/usr/bin', 'command_not_found'],
        ['$(id)', PATH, 'command_not_found'],
        // Longer than a file's name can be; in a folder that the caller may not enter.
        ['x'.repeat(300), PATH, 'command_not_found'],
        ['sh', '/proc/1/root/usr/bin', 'command_not_found'],
      ])('or not: %s in %j', async (name, searchPath, code) => {
        await expect(find(name, searchPath)).rejects.toMatchObject({ code });
      });
    });

    describe('without a network', () => {
      test('there is nothing but a loopback that is down, and the ids stay', async () => {
        const text = await said(
          'id -u; tail -n +3 /proc/net/dev | cut -d: -f1; cat /sys/class/net/lo/operstate 2>/dev/null; wc -l </proc/net/route',
          { network: false },
        );
        const [uid, ...rest] = text
          .trim()
          .split('\n')
          .map((line) => line.trim());
        expect(uid).toBe(String(house.ids.uid));
        expect(rest).toContain('lo');
        expect(rest.filter((line) => /^(eth|en|wl|docker|veth)/.test(line))).toEqual([]);
        const { end } = await run('exec 3<>/dev/tcp/127.0.0.1/1 2>/dev/null; exit 6', { network: false });
        expect(end.exitCode).not.toBe(0);
      });
      test('in a terminal, too', async () => {
        expect(await said('tail -n +3 /proc/net/dev | wc -l', { network: false, terminal: TERMINAL })).toBe('1\r\n');
      });
    });

    describe('signals', () => {
      test('reach the whole group', async () => {
        const command = await sh('sleep 300 & sleep 300 & echo $! ; wait');
        const [line] = (await once(command.stdout, 'data')) as [Buffer];
        command.signal('SIGTERM');
        command.stdout.resume();
        command.stderr?.resume();
        expect(await command.ended).toEqual({ exitCode: null, signal: 'SIGTERM' });
        await untilGone(Number(line.toString()));
      });
      test('a command that ignores SIGTERM ends by SIGKILL; one that has ended minds no signal', async () => {
        const command = await sh('trap "" TERM; echo on; while :; do sleep 0.05; done');
        await once(command.stdout, 'data');
        command.signal('SIGTERM');
        expect(lives(command.pid)).toBe(true);
        command.signal('SIGKILL');
        command.stdout.resume();
        command.stderr?.resume();
        expect(await command.ended).toEqual({ exitCode: null, signal: 'SIGKILL' });
        command.signal('SIGKILL');
        command.resize(TERMINAL);
      });
      test('sent while it ends by itself, they change nothing of how it is told to have ended', async () => {
        await manyTimes(60, async () => {
          const command = await sh('sleep 0.02; exit 3');
          let ended = false;
          void command.ended.then(() => {
            ended = true;
          });
          command.stdout.resume();
          command.stderr?.resume();
          while (!ended) {
            // Ignored unless somebody asks for it.
            for (let i = 0; i < 20; i++) command.signal('SIGURG');
            await new Promise((resolve) => setImmediate(resolve));
          }
          expect(await command.ended).toEqual({ exitCode: 3, signal: null });
        });
      });
      test('with a terminal reach its foreground group: an interrupted job, not its shell', async () => {
        const command = await start(['/bin/bash', '--norc', '--noprofile', '-i'], {
          terminal: TERMINAL,
          env: new Map([
            ['PATH', PATH],
            ['PS1', '> '],
            ['HISTFILE', '/dev/null'],
            ['TERM', 'dumb'],
          ]),
        });
        const screen = new Screen(command);
        command.stdin?.write('sleep 300\n');
        await untilForeground(command.pid, 'sleep');
        command.signal('SIGINT');
        await screen.shows(/\^?C?\r?\n?> $/);
        // Suspended by the key, brought back, interrupted by the key.
        command.stdin?.write('sleep 301\n');
        await untilForeground(command.pid, 'sleep');
        command.stdin?.write('\x1a');
        await screen.shows(/Stopped\s+sleep 301/);
        command.stdin?.write('fg\n');
        await untilForeground(command.pid, 'sleep');
        command.stdin?.write('\x03');
        await screen.shows(/\^C\r\n> $/);
        command.stdin?.write('exit 11\n');
        expect((await endOf(command)).exitCode).toBe(11);
      });
      test('SIGKILL to a shell with jobs ends them all', async () => {
        const command = await start(['/bin/bash', '--norc', '--noprofile', '-i'], {
          terminal: TERMINAL,
          env: new Map([
            ['PATH', PATH],
            ['PS1', '> '],
          ]),
        });
        const screen = new Screen(command);
        command.stdin?.write('sleep 302 & echo job=$!=\n');
        const [, job] = await screen.shows(/job=(\d+)=/);
        command.signal('SIGKILL');
        expect((await endOf(command)).signal).toBe('SIGKILL');
        await untilGone(Number(job));
      });
    });

    describe('what a command leaves behind', () => {
      test('its own output is whole, its end comes soon, and the rest ends with it', async () => {
        const command = await sh('sleep 300 & echo $!; exit 3');
        const { stdout, end } = await outcomeOf(command);
        expect(end.exitCode).toBe(3);
        expect(stdout.toString()).toMatch(/^\d+\n$/);
        await untilGone(Number(stdout.toString()));
      });
      test('who still writes within the linger is heard', async () => {
        expect(await said('(sleep 0.2; echo late) & echo early')).toBe('early\nlate\n');
      });
    });

    describe('a pinned file that others than root may change', () => {
      let folder: string;
      let path: string;
      beforeAll(() => {
        folder = mkdtempSync(join(tmpdir(), 'warden-pinned-'));
        path = join(folder, 'tool');
      });
      const GOOD = '#!/bin/sh\necho good $#\nread -r line\necho "$line"\n[ $# = 0 ] || cat <&5\nexit 7\n';
      const EVIL = '#!/bin/sh\necho evil\n';
      const put = (content: string | Buffer, name = path): void => writeFileSync(name, content, { mode: 0o755 });
      afterAll(() => rmSync(folder, { recursive: true }));
      const pinned = async (content: string | Buffer): Promise<PinnedFile> => {
        rmSync(path, { force: true });
        put(content);
        return realCommandFiles.pin(path);
      };
      const runCopy = async (pin: PinnedFile, more: Partial<CommandStart> = {}): Promise<Outcome> => {
        const command = await start([path, 'a', 'b c'], { copy: pin.copy, ...more });
        pin.close();
        command.stdin?.end('typed\n');
        return outcomeOf(command);
      };

      test.each<[string, () => void]>([
        ['as it is', () => {}],
        [
          'renamed over',
          () => {
            put(EVIL, `${path}.new`);
            renameSync(`${path}.new`, path);
          },
        ],
        ['written into', () => put(EVIL)],
        ['removed', () => rmSync(path)],
      ])('is what it was, script or program: %s', async (_how, change) => {
        const pin = await pinned(GOOD);
        change();
        const value = { kind: 'fd' as const, descriptor: 5, value: Secret.fromString('value\n') };
        const ran = await runCopy(pin, { deliveries: [value] });
        expect({ ...ran, stdout: ran.stdout.toString() }).toMatchObject({
          end: { exitCode: 7 },
          stdout: 'good 2\ntyped\nvalue\n',
        });
        const program = await pinned(readFileSync('/bin/echo'));
        change();
        expect((await runCopy(program)).stdout.toString()).toBe('a b c\n');
      });
      test('is what it was at a terminal', async () => {
        const pin = await pinned(GOOD);
        put(EVIL);
        const command = await start([path], { copy: pin.copy, terminal: TERMINAL });
        pin.close();
        command.stdin?.write('typed\n');
        expect((await outcomeOf(command)).stdout.toString()).toContain('good 0\r\n');
      });
      test('is closed to its own command, and to root, for writing', async () => {
        const pin = await pinned('#!/bin/sh\nchmod 777 "$0"; (echo >>"$0"); (echo >"$0"); readlink "$0"\n');
        const { stdout, stderr } = await runCopy(pin);
        expect(stdout.toString()).toMatch(/\/memfd:sealed copy of tool \(deleted\)\n$/);
        expect(stderr.toString()).toMatch(/not permitted|Permission denied/);
        const again = await pinned(GOOD);
        expect(() => writeFileSync(`/proc/self/fd/${again.copy}`, EVIL)).toThrow(/EPERM|EACCES/);
        again.close();
      });
      test('leaves no descriptor behind, and commands of one file share its copy', async () => {
        const [one, two] = [await pinned(GOOD), await realCommandFiles.pin(path)];
        expect(one.copy).toBe(two.copy);
        one.close();
        one.close();
        expect((await runCopy(two)).stdout.toString()).toMatch(/^good/);
        const links = readdirSync('/proc/self/fd').map((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`);
          } catch {
            return '';
          }
        });
        expect(links.filter((link) => link.includes('memfd:sealed'))).toEqual([]);
      });
    });

    test('a caller that has ended has nothing started', async () => {
      const gone = await house.callers.call(house.ids);
      await gone.end();
      await untilGone(gone.pid);
      for (const attempt of [
        () => sh('exit 0', { connection: gone.connection }),
        () => house.runner.find({ name: 'sh', searchPath: PATH, connection: gone.connection }),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'caller_gone' });
      }
    });
  });
}

async function manyTimes(times: number, one: () => Promise<void>): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** What a terminal has shown so far. */
class Screen {
  #text = '';
  readonly #command: RunningCommand;

  constructor(command: RunningCommand) {
    this.#command = command;
    command.stdout.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
  }

  /** What matched; what was shown until then counts no more. */
  async shows(wanted: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(20_000);
    for (;;) {
      const match = wanted.exec(this.#text);
      if (match !== null) {
        this.#text = '';
        return match;
      }
      await once(this.#command.stdout, 'data', { signal }).catch(() => {
        throw new Error(`it never showed ${wanted}: ${JSON.stringify(this.#text)}`);
      });
    }
  }
}

/** Until a shell has put a job of its own into the foreground of its terminal, and that has become its program. */
async function untilForeground(shell: number, program: string): Promise<void> {
  const until = performance.now() + 20_000;
  const inFront = (): string => {
    const fields = readFileSync(`/proc/${shell}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    try {
      return readFileSync(`/proc/${fields[5]}/comm`, 'latin1').trim();
    } catch {
      return '';
    }
  };
  while (inFront() !== program) {
    if (performance.now() > until) throw new Error(`${inFront()} keeps the foreground`);
    await pause(10);
  }
}
