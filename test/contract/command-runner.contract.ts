import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandEnd, CommandRunner, CommandStart, RunningCommand } from '../../src/access/command-runner.ts';
import { Secret } from '../../src/kernel/secret.ts';
import type { CallerProcess, Callers, Ids } from '../runner/support.ts';

export interface RunnerCandidate {
  readonly name: string;
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
    command.ended,
  ]);
  return { end, stdout, stderr };
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
        deliveries: [],
        stdin: 'caller',
        terminal: null,
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
        expect(command.stdout.readableLength).toBeLessThanOrEqual(256 * 1024);
        command.signal('SIGKILL');
        await run('exit 0');
        const { stdout, end } = await outcomeOf(command);
        expect(stdout.length).toBeLessThan(1024 * 1024);
        expect(end).toEqual({ exitCode: null, signal: 'SIGKILL' });
      });
      test('all output arrives before the end, a thousand times', async () => {
        await manyTimes(1_000, async () => {
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
      test('all output arrives before the end, a thousand times', async () => {
        await manyTimes(1_000, async () => {
          const { stdout, end } = await start(['/usr/bin/seq', '1', '300'], { terminal: TERMINAL }).then(outcomeOf);
          expect([stdout.length, end.exitCode]).toEqual([1392, 0]);
        });
      });
    });
  });
}

async function manyTimes(times: number, once: () => Promise<void>): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await once();
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}
