// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a shell's variables are what is meant.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lastRecord, recordsOf, tempFolder } from '../access/support.ts';
import { json, warden } from '../support/cli.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { exec, execDaemon, fileSays, isAlive, type Running, sh, start, until } from './support.ts';

let daemon: RunningDaemon;
let running: Running[] = [];
beforeAll(async () => {
  daemon = await execDaemon();
});
afterEach(() => {
  for (const { child } of running) child.kill('SIGKILL');
  running = [];
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

const run = (...args: Parameters<typeof start>): Running => {
  const one = start(...args);
  running.push(one);
  return one;
};
const plain = (script: string, ...args: string[]): string[] => ['--route', 'plain', ...sh(script, ...args)];
const endOf = (reason: string): Promise<void> =>
  until(
    () => recordsOf(daemon.house).some((one) => one.kind === 'exec_end' && one.reason === reason),
    `exec_end ${reason}`,
  );
const pidIn = (text: Buffer): number => Number(/pid (\d+)/.exec(text.toString('utf8'))?.[1]);

describe('signals that the client is sent', () => {
  test('each reaches the command, which may do with it as it likes, and its exit code counts', async () => {
    const names = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'ALRM', 'WINCH'] as const;
    const traps = names.map((name) => `trap 'echo got ${name}' ${name}`).join('; ');
    const script = `${traps}; echo ready; while [ ! -e "$1" ]; do sleep 0.02; done; exit 9`;
    const go = join(tempFolder(), 'go');
    const { child, ended, saw } = run(daemon, plain(script, go));
    await saw('ready');
    for (const name of names) {
      child.kill(`SIG${name}`);
      await saw(`got ${name}`);
    }
    writeFileSync(go, '');
    expect(await ended).toMatchObject({ code: 9, signal: null });
  });

  test('they reach its children too, as at a terminal', async () => {
    const { child, ended, saw } = run(daemon, plain('sleep 1000 & echo ready; wait $!; wait $!; echo child $?'));
    await saw('ready');
    child.kill('SIGINT');
    // A shell that is not interactive has its background children ignore SIGINT; the shell itself dies of it.
    expect((await ended).code).toBe(130);
  });

  test('they get past a command that reads nothing, however much is waiting for it', async () => {
    const script = "trap 'echo got it; exit 3' USR2; echo ready; while :; do sleep 0.05; done";
    const { child, ended, saw } = run(daemon, plain(script), { stdin: Buffer.alloc(8 * 1024 * 1024) });
    await saw('ready');
    child.kill('SIGUSR2');
    expect(await ended).toMatchObject({ code: 3, stdout: Buffer.from('ready\ngot it\n') });
  });

  test('SIGTSTP stops both, SIGCONT continues both', async () => {
    const { child, ended, saw } = run(daemon, plain('echo pid $$; exec sleep 1000'));
    let out = Buffer.alloc(0);
    child.stdout?.on('data', (chunk: Buffer) => {
      out = Buffer.concat([out, chunk]);
    });
    await saw('pid');
    const both = [child.pid ?? 0, pidIn(out)];
    const stopped = (): number =>
      both.filter((pid) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))).length;
    expect(stopped()).toBe(0);
    child.kill('SIGTSTP');
    await until(() => stopped() === 2, 'both stop');
    child.kill('SIGCONT');
    await until(() => stopped() === 0, 'both go on');
    child.kill('SIGTERM');
    expect((await ended).code).toBe(143);
  });
});

describe('a client that goes away', () => {
  test('takes the command along: SIGTERM first', async () => {
    const log = join(tempFolder(), 'log');
    const { child, saw } = run(
      daemon,
      plain('trap \'echo terminated > "$1"; exit 0\' TERM; echo ready; while :; do sleep 0.05; done', log),
    );
    await saw('ready');
    child.kill('SIGKILL');
    await fileSays(log, 'terminated');
    await endOf('caller_gone');
    expect(lastRecord(daemon.house)).toMatchObject({ kind: 'exec_end', outcome: 'failed', exit_code: 0 });
  });

  test('also one that ignores it, with its children: SIGKILL later', { timeout: 30_000 }, async () => {
    const { child, saw } = run(
      daemon,
      plain("trap '' TERM HUP; sleep 1000 & echo child $!; echo pid $$; while :; do sleep 0.1; done"),
    );
    let out = Buffer.alloc(0);
    child.stdout?.on('data', (chunk: Buffer) => {
      out = Buffer.concat([out, chunk]);
    });
    await saw('pid');
    const pid = pidIn(out);
    const grandchild = Number(/child (\d+)/.exec(out.toString('utf8'))?.[1]);
    expect(isAlive(pid) && isAlive(grandchild)).toBe(true);
    child.kill('SIGKILL');
    await until(() => !isAlive(pid) && !isAlive(grandchild), 'both are gone');
    await until(() => lastRecord(daemon.house).exit_code === 137, 'its end is on record');
  });

  test('while it floods: nothing holds it up', async () => {
    const { child, saw } = run(daemon, plain('echo ready; exec yes'));
    await saw('ready');
    child.stdout?.pause();
    child.kill('SIGKILL');
    await until(() => lastRecord(daemon.house).exit_code === 143, 'yes has ended');
  });
});

describe('streams', () => {
  test('whoever reads no more ends a command as a pipe would', async () => {
    const { child, ended } = run(daemon, ['--route', 'plain', '--', 'yes']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await ended).toMatchObject({ code: 141 });
  });

  test('a command that closes its stdin is none the worse for it', async () => {
    const result = await exec(daemon, plain('exec <&-; echo still here'), { stdin: Buffer.alloc(1024 * 1024) });
    expect(result).toEqual({ code: 0, stdout: 'still here\n', stderr: '' });
  });

  test('one that closes its stdout goes on', async () => {
    expect(await exec(daemon, plain('exec >&-; echo err >&2; exit 4'))).toEqual({
      code: 4,
      stdout: '',
      stderr: 'err\n',
    });
  });

  test('one that stays silent while stdin is open waits for its end', async () => {
    const { child, ended } = run(daemon, ['--route', 'plain', '--', 'cat'], { stdin: 'open' });
    child.stdin?.write('one\n');
    child.stdin?.end('two\n');
    expect(await ended).toMatchObject({ code: 0, stdout: Buffer.from('one\ntwo\n') });
  });

  test('what it leaves in the background ends with it, and all that was written arrives', async () => {
    const { stdout, code } = await exec(daemon, plain('(sleep 1000; echo never) & echo pid $!; seq 20000'));
    expect(code).toBe(0);
    expect(stdout.trimEnd().endsWith('\n20000')).toBe(true);
    await until(() => !isAlive(pidIn(Buffer.from(stdout))), 'the background is gone');
  });

  test('a reader that does not read stops the command, and gets every byte in the end', async () => {
    const { child, ended, saw } = run(daemon, plain('echo go; seq 4000000; echo done >&2'));
    let stderr = '';
    child.stderr?.on('data', (chunk: string) => {
      stderr += chunk;
    });
    await saw('go');
    child.stdout?.pause();
    // As long as another command needs from start to end.
    await exec(daemon, plain('seq 100000'));
    expect(stderr).toBe('');
    child.stdout?.resume();
    const { stdout, code } = await ended;
    expect({ code, stderr, bytes: stdout.length }).toEqual({ code: 0, stderr: 'done\n', bytes: 30_888_899 });
    expect(stdout.subarray(-16).toString()).toBe('3999999\n4000000\n');
  });
});

describe('bounds', () => {
  test('max_duration ends a command, and says so', async () => {
    const result = await exec(daemon, ['--route', 'short', '--', 'sleep', '1000']);
    expect(result.code).toBe(143);
    expect(result.stderr).toMatch(
      /^warden: ended: the command ran for 1 s, as long as it may\n {2}why: duration_exceeded · ledger \d+\n$/,
    );
    expect(lastRecord(daemon.house)).toMatchObject({
      kind: 'exec_end',
      outcome: 'failed',
      reason: 'duration_exceeded',
      exit_code: 143,
    });
  });

  test('limits.exec_concurrency: each refusal says which of the two it met', async () => {
    const small = await execDaemon('version: 1\nposture: dev\nlimits: { exec_concurrency: 8 }\n');
    try {
      const seven = Array.from({ length: 7 }, () => run(small, plain('echo ready; sleep 1000')));
      for (const { saw } of seven) await saw('ready');
      const status = json(await warden(['status', '--json'], { env: { WARDEN_SOCKET: small.socket } }));
      expect(status).toMatchObject({ commands_running: 7 });
      const refused = await exec(small, ['--route', 'plain', '--', 'true']);
      expect(refused).toMatchObject({
        code: 125,
        stderr: expect.stringContaining('7 commands of yours run already, as many as one caller may have'),
      });
      expect(lastRecord(small.house)).toMatchObject({ kind: 'exec_start', outcome: 'refused', reason: 'exec_limited' });
      for (const { child } of seven) child.kill('SIGTERM');
      for (const { ended } of seven) expect((await ended).code).toBe(143);
      expect(await exec(small, ['--route', 'plain', '--', 'true'])).toMatchObject({ code: 0 });
    } finally {
      await small.stop('SIGKILL');
      small.house.remove();
    }
  });
});

describe('a daemon that stops', () => {
  test('lets a command end in its grace, ends the others, and has all on record', { timeout: 40_000 }, async () => {
    const other = await execDaemon();
    const quick = run(other, plain('echo ready; sleep 1; exit 5'));
    const slow = run(other, plain("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"));
    await quick.saw('ready');
    await slow.saw('ready');
    const stopped = other.stop();
    expect(await quick.ended).toMatchObject({ code: 5, stderr: '' });
    expect(await slow.ended).toMatchObject({ code: 6, stderr: expect.stringMatching(/why: draining · ledger \d+/) });
    expect(await stopped).toBe(0);
    const ends = recordsOf(other.house).filter(({ kind }) => kind === 'exec_end');
    expect(ends).toEqual([
      expect.objectContaining({ outcome: 'ok', exit_code: 5 }),
      expect.objectContaining({ outcome: 'failed', reason: 'draining', exit_code: 6 }),
    ]);
    other.house.remove();
  });

  test('killed, it takes its commands along, and the client says that it is gone', async () => {
    const other = await execDaemon();
    const { child, ended, saw } = run(other, plain('echo pid $$; while :; do sleep 0.05; done'));
    let out = Buffer.alloc(0);
    child.stdout?.on('data', (chunk: Buffer) => {
      out = Buffer.concat([out, chunk]);
    });
    await saw('pid');
    await other.stop('SIGKILL');
    expect(await ended).toMatchObject({ code: 125, stderr: expect.stringContaining('daemon_unreachable') });
    await until(() => !isAlive(pidIn(out)), 'the command is gone');
    other.house.remove();
  });
});
