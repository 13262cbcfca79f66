import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordsOf, tempFolder } from '../access/support.ts';
import { json, warden } from '../support/cli.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { exec, execDaemon, WARDEN } from './support.ts';

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await execDaemon(`${WARDEN}policy: { enabled: true, gate: [sign, exec] }\n`);
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

const run = (...args: string[]) => warden(args, { env: { WARDEN_SOCKET: daemon.socket } });
const stepsOf = (answer: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries((answer.steps as { name: string; outcome: string }[]).map(({ name, outcome }) => [name, outcome]));

describe('$ warden explain exec', () => {
  test('walks every step; nothing is started, asked or recorded', async () => {
    const marker = join(tempFolder(), 'started');
    const before = recordsOf(daemon.house).length;
    const result = await run('explain', 'exec', '--json', '--route', 'plain', '--', 'touch', marker);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const answer = json(result);
    expect(answer.verdict).toBe('would_ask');
    expect(Object.entries(stepsOf(answer)).filter(([, outcome]) => outcome !== 'held')).toEqual([
      ['quota', 'not_asked'],
      ['policy', 'would_ask'],
    ]);
    expect(existsSync(marker)).toBe(false);
    expect(recordsOf(daemon.house).length).toBe(before);
  });

  test.each<[string, string[], string, string]>([
    ['a route that is not there', ['--route', 'nonesuch', '--', 'true'], 'route', 'route_not_allowed'],
    ['a command that is not there', ['--route', 'plain', '--', 'nonesuch'], 'command', 'command_not_found'],
    ['a command that is not listed', ['--route', 'listed', '--', 'ls'], 'command', 'command_not_allowed'],
  ])('%s fails at its step', async (_name, args, step, reason) => {
    const result = await run('explain', 'exec', '--json', ...args);
    expect(result.code).toBe(1);
    expect(json(result)).toMatchObject({ verdict: 'refused', reason });
    expect(stepsOf(json(result))[step]).toBe('failed');
  });

  test.each([
    ['toolless', 'there is no program no-such-tool'],
    ['foldered', 'there is no program /usr/bin'],
  ])(
    'the tool of %s, which is not there, fails at its owner, for fetch too, as the real thing does',
    async (route, why) => {
      const refused = { verdict: 'fault', reason: 'tool_failed' };
      for (const asked of [
        ['exec', '--json', '--route', route, '--', 'true'],
        ['fetch', '--json', route],
      ]) {
        const result = await run('explain', ...asked);
        expect(result.code).toBe(4);
        expect(json(result)).toMatchObject(refused);
        expect(json(result).steps).toContainEqual(
          expect.objectContaining({ name: 'owner', outcome: 'failed', was: why }),
        );
      }
      expect((await exec(daemon, ['--route', route, '--', 'true'])).stderr).toContain(why);
      expect((await run('fetch', route)).stderr).toContain(why);
    },
  );

  test('no other name for another program, and nothing like a listed argument, gets past a list', async () => {
    const folder = tempFolder();
    symlinkSync('/bin/sh', join(folder, 'echo'));
    symlinkSync('/bin/echo', join(folder, 'other'));
    for (const words of [
      [join(folder, 'echo'), 'hello'],
      [join(folder, '..', basename(folder), 'other'), 'hello'],
      ['/bin/echo', 'hello\n'],
      ['/bin/echo', '\nhello'],
      ['/bin/echo', 'h\u0435llo'],
      ['/bin/echo', 'hello\u200b'],
    ]) {
      const result = await run('explain', 'exec', '--json', '--route', 'listed', '--', ...words);
      expect(json(result), words.join(' ')).toMatchObject({ reason: 'command_not_allowed' });
    }
    for (const path of ['/bin/../bin/./echo', '//bin//echo']) {
      expect(await run('explain', 'exec', '--route', 'listed', '--', path, 'hello'), path).toMatchObject({ code: 0 });
    }
  });

  test('--ask asks the decision point, and that is on record', async () => {
    const result = await run('explain', 'exec', '--json', '--ask', '--route', 'plain', '--', 'true');
    expect(json(result)).toMatchObject({ verdict: 'allowed', decision_id: expect.stringMatching(/decision:/) });
    expect(recordsOf(daemon.house).at(-1)).toMatchObject({ kind: 'explain', policy_effect: 'allow', route: 'plain' });
  });
});

test('the gate decides on each route, and its decision is in each record', async () => {
  const before = recordsOf(daemon.house).length;
  expect(await exec(daemon, ['--route', 'both', '--route', 'plain', '--', 'true'])).toMatchObject({ code: 0 });
  const records = recordsOf(daemon.house).slice(before);
  const starts = records.filter(({ kind }) => kind === 'exec_start');
  expect(starts).toEqual([
    expect.objectContaining({ route: 'both', policy_effect: 'allow', policy_reason: 'secret_route_matched' }),
    expect.objectContaining({ route: 'plain', policy_effect: 'allow', policy_reason: 'secret_route_matched' }),
  ]);
});

describe('$ warden access ROUTE', () => {
  test('says what a command would get', async () => {
    const { stdout } = await run('access', 'listed');
    expect(stdout).toMatch(/injects +a as LISTED\n/);
    expect(stdout).toMatch(/runs +\/bin\/echo hello \*\*; \/bin\/cat\n/);
    expect(stdout).toMatch(/for +at most 1h\n/);
  });

  test('--exec runs it', async () => {
    const result = await run('access', 'plain', '--exec', '--', 'sh', '-c', 'echo "$TOKEN"; exit 3');
    expect(result).toEqual({ code: 3, stdout: '[masked:plain]\n', stderr: '' });
  });

  test.each<[string, string[], RegExp]>([
    ['without a command', ['plain', '--exec'], /--exec needs a route and a command/],
    ['a command without it', ['plain', '--', 'true'], /a command is for --exec/],
    ['together with --fetch', ['plain', '--exec', '--fetch', '--', 'true'], /--fetch or --exec, not both/],
  ])('--exec: %s is a usage error', async (_name, args, stderr) => {
    const result = await run('access', ...args);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(stderr);
  });
});

test('more than a request may have is refused before it is sent', async () => {
  const env = Object.fromEntries(['A', 'B', 'C'].map((name) => [name, 'x'.repeat(100_000)]));
  expect(await exec(daemon, ['--route', 'plain', '--', 'true'], { env })).toMatchObject({
    code: 125,
    stderr: expect.stringMatching(
      /a command may have 240 KiB of arguments and environment in all: arguments 1 KiB, environment 29\d KiB\n(?:.*\n)*.*--pristine, or env -u [ABC]\n/,
    ),
  });
  expect(await exec(daemon, ['--route', 'plain', '--pristine', '--', 'true'], { env })).toMatchObject({ code: 0 });

  const file = join(tempFolder(), '.env');
  writeFileSync(file, `SMALL=x\nLARGE=${'y'.repeat(120_000)}\nOTHER=${'z'.repeat(110_000)}\n`);
  const words = ['x'.repeat(20_000)];
  const added = await exec(daemon, ['--route', 'plain', '--env-file', file, '--', 'true', ...words]);
  expect(added.code).toBe(125);
  expect(added.stderr).toMatch(/240 KiB .*: arguments 20 KiB, environment \d+ KiB, added variables 225 KiB\n/);
  expect(added.stderr).toMatch(/add fewer or shorter ones; LARGE is the largest/);
  expect(added.stderr).not.toContain('yyyy');
});
