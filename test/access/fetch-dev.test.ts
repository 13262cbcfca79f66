import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { secretValue } from '../support/canary.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { houseWith, lastRecord, recordsOf, tempFolder } from './support.ts';

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseWith({}) });
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });
const why = (stderr: string): string => /why: (\w+)/.exec(stderr)?.[1] ?? stderr;

describe('$ warden fetch, in dev', () => {
  test('ROUTE gives a synthetic value and nothing else, and records names', async () => {
    const result = await run('fetch npm-publish --actor agt-m1 --reason testing --ticket T-1');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^synthetic-[0-9a-f]{24}$/);
    const record = lastRecord(daemon.house);
    expect(record).toMatchObject({
      kind: 'fetch',
      outcome: 'ok',
      actor: 'agt-m1',
      policy_effect: 'not_asked',
      posture: 'dev',
      route: 'npm-publish',
      owner: 'openbao',
      workload_maturity: 'M1',
      required_maturity: 'M1',
      data_class: 'internal',
      openbao_path: 'platform/data/workloads/ci/npm',
      openbao_version: 1,
      populated_key_count: 1,
      user_reason: 'testing',
      ticket: 'T-1',
    });
    expect(JSON.stringify(record)).not.toContain(result.stdout);
  });

  test('the same path has the same value for as long as the daemon runs', async () => {
    const values = await Promise.all([1, 2].map(() => run('fetch npm-publish --actor agt-m3')));
    expect(values[0]?.stdout).toBe(values[1]?.stdout);
  });

  test('the doubles on the tool lane give the value that the store gives', async () => {
    const [native, tool] = [
      await run('fetch npm-publish --actor agt-m3'),
      await run('fetch npm-by-tool --actor agt-m3'),
    ];
    expect(tool).toMatchObject({ code: 0, stderr: '', stdout: native.stdout });
    expect(lastRecord(daemon.house)).toMatchObject({
      kind: 'fetch',
      outcome: 'ok',
      route: 'npm-by-tool',
      populated_key_count: 1,
    });
  });

  test('a login of key-cape is a JWT that says what it is', async () => {
    const result = await run('fetch kc-login --actor agt-m3');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const [, payload = ''] = result.stdout.split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ sub: 'synthetic-subject' });
  });

  test('on a terminal a newline stands after the value, and only there', async () => {
    const words = [process.execPath, builtPrograms().warden, 'fetch', 'npm-publish', '--actor', 'agt-m1'];
    const { stdout } = await promisify(execFile)('script', ['-qec', words.join(' '), '/dev/null'], {
      env: { PATH: '/usr/bin:/bin', WARDEN_SOCKET: daemon.socket, HOME: '/nonexistent', TERM: 'dumb' },
    });
    expect(stdout).toMatch(/^synthetic-[0-9a-f]{24}\r\n$/);
  });

  test('the ledger reads as a sentence', async () => {
    await run('fetch npm-publish --actor agt-m1 --reason testing');
    const { stdout } = await run('ledger tail --lines 1');
    expect(stdout).toMatch(
      / fetch ok agt-m1 · route npm-publish · platform\/data\/workloads\/ci\/npm · version 1 · testing · uid \d+ /,
    );
  });

  test('several fields want --field or --json', async () => {
    const several = await run('fetch registry-login --actor agt-m3');
    expect(several).toMatchObject({ code: 2, stdout: '' });
    expect(several.stderr).toContain('say which with --field: user, word');
    const one = await run('fetch registry-login --actor agt-m3 --field word');
    expect(one.stdout).toMatch(/^synthetic-/);
    const all = json(await run('fetch registry-login --actor agt-m3 --json'));
    expect(all).toMatchObject({ route: 'registry-login', double: true, fields: { word: one.stdout } });
    expect(Object.keys(all.fields as object)).toEqual(['user', 'word']);
  });

  test('--output writes a file of mode 0600, and the value nowhere else', async () => {
    const folder = tempFolder();
    const result = await run('fetch npm-publish --actor agt-m3 --output value', { cwd: folder });
    expect(result).toMatchObject({ code: 0, stdout: '' });
    const value = readFileSync(join(folder, 'value'), 'utf8');
    expect(value).toMatch(/^synthetic-[0-9a-f]{24}$/);
    expect(statSync(join(folder, 'value')).mode & 0o777).toBe(0o600);
    expect(result.stderr).not.toContain(value);
  });

  test('--output into a folder that is not there asks nobody', async () => {
    const before = lastRecord(daemon.house).seq;
    const result = await run('fetch npm-publish --actor agt-m3 --output /nonexistent/value');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('name another place with --output');
    expect(lastRecord(daemon.house).seq).toBe(before);
  });

  test('--output onto a pipe or a device leaves it what it is and asks nobody', async () => {
    const before = lastRecord(daemon.house).seq;
    const pipe = join(tempFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    symlinkSync('/dev/null', `${pipe}-link`);
    for (const path of [pipe, `${pipe}-link`]) {
      const result = await run(`fetch npm-publish --actor agt-m3 --output ${path}`);
      expect(result).toMatchObject({ code: 2, stdout: '' });
      expect(result.stderr).toContain(`cannot write ${path}: it is a device, a pipe or a socket`);
      expect(statSync(path).isFile()).toBe(false);
    }
    expect(lastRecord(daemon.house).seq).toBe(before);
  });

  test('--wrap-ttl gives a token instead of the value', async () => {
    const result = await run('fetch npm-publish --actor agt-m3 --wrap-ttl 5m');
    expect(result.stdout).toMatch(/^synthetic-wrap-[0-9a-f]{24}$/);
    const tool = await run('fetch kc-login --actor agt-m3 --wrap-ttl 5m');
    expect(tool).toMatchObject({ code: 1, stdout: '' });
    expect(why(tool.stderr)).toBe('route_unusable');
  });

  test('explain fetch walks it and releases nothing, and knows what of its options would be refused', async () => {
    const before = lastRecord(daemon.house).seq;
    const allowed = await run('explain fetch npm-publish --actor agt-m3 --wrap-ttl 5m');
    expect(allowed).toMatchObject({ code: 0 });
    expect(allowed.stdout).toMatch(/ok {2}owner +would read platform\/data\/workloads\/ci\/npm/);
    const refused = await run('explain fetch kc-login --actor agt-m3 --wrap-ttl 5m');
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(/NO {2}fields +the value of a tool cannot be wrapped/);
    expect(lastRecord(daemon.house).seq).toBe(before);
  });

  test('without --actor several that admit you are listed', async () => {
    const result = await run('fetch npm-publish');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('agt-m0, agt-m1, agt-m3');
    expect(result.stderr).not.toContain('agt-foreign');
  });

  test.each([
    ['a route of another actor', 'fetch of-another --actor agt-m3', 1, 'route_not_allowed'],
    ['a route that does not exist', 'fetch no-such-route --actor agt-m3', 1, 'route_not_allowed'],
    ['a route for commands only', 'fetch exec-only --actor agt-m3', 1, 'route_unusable'],
    ['a field that the route does not have', 'fetch npm-publish --actor agt-m3 --field other', 2, 'invalid_request'],
  ])('%s is refused and recorded', async (_what, args, code, reason) => {
    const result = await run(args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(why(result.stderr)).toBe(reason);
    const record = lastRecord(daemon.house);
    expect(record).toMatchObject({ kind: 'fetch', outcome: 'refused', reason });
    expect(record).not.toHaveProperty('certificate_issued');
  });

  test('an actor that admits somebody else, and one that is not there, give the caller nothing', async () => {
    for (const actor of ['agt-foreign', 'agt-nobody']) {
      const result = await run(`fetch npm-publish --actor ${actor}`);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(why(result.stderr)).toBe('caller_not_allowed');
    }
    // Refusals of strangers are counted after the first: what is recorded is that nothing was released.
    const about = recordsOf(daemon.house).filter(({ actor }) => actor === 'agt-foreign' || actor === 'agt-nobody');
    expect(about.filter(({ outcome }) => outcome !== 'refused')).toEqual([]);
  });

  test('a token of the caller reaches no log and no record', async () => {
    const token = `hvs.${secretValue('canary-token-of-the-caller')}`;
    await run('fetch npm-publish --actor agt-m1', { env: { BAO_TOKEN: token } });
    await run('fetch no-such-route --actor agt-m1', { env: { BAO_TOKEN: token } });
    expect(daemon.stderr.join('\n')).not.toContain('canary-token');
    expect(readFileSync(join(daemon.state, 'signatures.log'), 'utf8')).not.toContain('canary-token');
  });

  test('what should be a token and is none never leaves the client', async () => {
    const result = await run('fetch npm-publish --actor agt-m1', { env: { BAO_TOKEN: 'two words' } });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).not.toContain('two words');
  });
});

describe('$ warden access, in dev', () => {
  test('lists the routes of the catalogue', async () => {
    const { routes } = json(await run('access --actor agt-m3 --json')) as { routes: { id: string }[] };
    expect(routes.map(({ id }) => id)).toEqual([
      'exec-only',
      'kc-login',
      'npm-by-tool',
      'npm-publish',
      'registry-login',
    ]);
    expect((await run('access --actor agt-foreign')).code).toBe(1);
  });

  test('ROUTE says what would happen, and does not do it', async () => {
    const before = lastRecord(daemon.house).seq;
    const result = await run('access npm-publish --actor agt-m1 --json');
    expect(result.code).toBe(0);
    const answer = json(result) as { steps: { name: string; outcome: string }[] };
    expect(answer).toMatchObject({ verdict: 'allowed' });
    expect(answer.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'caller held',
      'actor held',
      'standing held',
      'quota not_asked',
      'route held',
      'fields held',
      'confinement not_asked',
      'lattice held',
      'tier held',
      'subject held',
      'policy not_asked',
      'owner held',
      'ledger held',
    ]);
    expect(lastRecord(daemon.house).seq).toBe(before);
  });

  test('ROUTE --fetch walks it', async () => {
    const [walked, fetched] = [
      await run('access npm-publish --actor agt-m1 --fetch'),
      await run('fetch npm-publish --actor agt-m1'),
    ];
    expect(walked).toEqual(fetched);
  });
});
