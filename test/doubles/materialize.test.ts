import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { materializeDoubles } from '../../src/doubles/materialize.ts';
import { BAO, devServer, type RealServer } from '../support/openbao.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let real: RealServer;
let bao: string;
const SECRETS = { 'secret/data/a/b': ['token', 'user', 'n'], 'secret/data/one': ['a-rather-long-name-of-a-field'] };

function execute(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, [...args], { env: { HOME: folder, ...env }, cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
const double = (args: readonly string[], env?: Readonly<Record<string, string>>) => execute(bao, args, env);
const genuine = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  execute(BAO, args, { BAO_ADDR: real.address, BAO_TOKEN: real.rootToken, ...env });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warden-doubles-'));
  bao = join(folder, 'doubles', 'bao');
  materializeDoubles(join(folder, 'doubles'), { seed: 'of this test', secrets: SECRETS });
  real = await devServer();
  // The real one is furnished with the double's own values: what it prints must then be the same.
  for (const [path, fields] of Object.entries(SECRETS)) {
    const data: Record<string, string> = {};
    for (const field of fields) {
      data[field] = (
        await double(['kv', 'get', `-field=${field}`, '-mount=secret', path.replace('secret/data/', '')])
      ).stdout;
    }
    await real.ok('POST', path, { data });
  }
}, 60_000);
afterAll(async () => {
  await real?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Ids and times are each one's own; whatever else differs is a fault. */
function normal({ code, stdout, stderr }: Ran): Ran {
  const same = (text: string): string =>
    text
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z/g, 'TIME')
      .replace(/(creation_time"?:?\s+)\d+/g, '$1SECONDS')
      .replace(/(accessor"?:?\s+"?)[\w.-]+/g, '$1ACCESSOR')
      .replace(/(\bid"?:?\s+"?)[\w.-]+/g, '$1TOKEN')
      .replace(/("policies": \[\s+")[\w-]+/g, '$1POLICY')
      .replace(/((?:policies\s+|^)\[)[\w-]+\]/gm, '$1POLICY]')
      .replace(/v2\.7\.2 \([^)]*\)/, 'v2.7.2 (BUILD)');
  return { code, stdout: same(stdout), stderr: same(stderr) };
}

describe('the double of bao answers as the real bao does: the same bytes, ids and times apart', () => {
  test.each(
    [
      'kv get -field=token -mount=secret a/b',
      'kv get -field token -mount secret a/b',
      'kv get --field=token --mount=secret a/b',
      'kv get -field=token secret/a/b',
      'kv get -field=token -mount=secret/ /a/b/',
      'kv get -field=token -format=json -mount=secret a/b',
      'kv get -field=nope -mount=secret a/b',
      'kv get -field= -mount=secret a/b',
      'kv get -mount=secret a/b',
      'kv get -mount=secret one',
      'kv get -format=table -mount=secret a/b',
      'kv get -format=json -mount=secret a/b',
      'kv get -format=JSON -mount=secret a/b',
      'kv get -format=bogus -mount=secret a/b',
      'kv get -mount=secret no/such',
      'kv get -field=token -mount=secret no/such',
      'kv get -format=json -mount=secret no/such',
      'kv get -version=1 -field=token -mount=secret a/b',
      'kv get -version=9 -field=token -mount=secret a/b',
      'kv get',
      'kv get -mount=secret',
      'kv get a b',
      'kv get -mount=secret a/b extra',
      'kv get -mount=secret a/b -field=token',
      'kv get -mount=secret a/b -format=json',
      'kv get -bogus -mount=secret a/b',
      'kv get -field',
      'kv get -tls-skip-verify -field=token -mount=secret a/b',
      'read -format=json secret/data/a/b',
      'read secret/data/a/b',
      'read -field=data secret/data/a/b',
      'read -field=token secret/data/a/b',
      'read -field=nope secret/data/a/b',
      'read secret/data/no',
      'read -field=data secret/data/no',
      'read',
      'read a b',
      'read -bogus secret/data/a/b',
      'token lookup',
      'token lookup -format=json',
      'token lookup -field=type',
      'token lookup -field=policies',
      'token lookup -field=nope',
      'token lookup -field=expire_time',
      'token lookup -format=json -field=orphan',
      'token lookup -bogus',
      'token lookup -format=bogus',
      'token lookup a b',
      'version',
      '--version',
    ].map((line) => [line]),
  )('bao %s', async (line) => {
    const args = line.split(' ');
    const [ours, theirs] = await Promise.all([double(args), genuine(args)]);
    expect(normal(ours)).toEqual(normal(theirs));
  });

  test.each([
    ['the format from the environment', ['kv', 'get', '-mount=secret', 'a/b'], { BAO_FORMAT: 'json' }],
    ['one that does not exist', ['kv', 'get', '-mount=secret', 'a/b'], { BAO_FORMAT: 'bogus' }],
    ['the flag before the environment', ['kv', 'get', '-format=table', '-mount=secret', 'a/b'], { BAO_FORMAT: 'json' }],
  ])('%s', async (_what, args, env) => {
    const [ours, theirs] = await Promise.all([double(args, env), genuine(args, env)]);
    expect(normal(ours)).toEqual(normal(theirs));
  });

  test.each([['nonsense'], ['']])('an unknown command, "%s", is usage on stderr and exit code 127', async (name) => {
    const args = name === '' ? [] : [name];
    for (const ran of [await double(args), await genuine(args)]) {
      expect(ran).toMatchObject({ code: 127, stdout: '' });
      expect(ran.stderr).toMatch(/^Usage: bao <command> \[args\]\n/);
    }
  });

  test.each([['kv'], ['token'], ['print']])('bao %s without more is usage on stderr and exit code 1', async (name) => {
    for (const ran of [await double([name]), await genuine([name])]) {
      expect(ran).toMatchObject({ code: 1, stdout: '' });
      expect(ran.stderr).toMatch(new RegExp(`^Usage: bao ${name} <subcommand>`));
    }
  });

  test('what it does not do it says, and does not pretend', async () => {
    const ran = await double(['kv', 'put', '-mount=secret', 'a/b', 'x=y']);
    expect(ran).toEqual({ code: 1, stdout: '', stderr: 'the synthetic double of bao does not do "kv put"\n' });
  });
});

describe('values of the doubles', () => {
  test('every value is synthetic, stable per path within one run, and another in the next', async () => {
    const get = (program: string, path: string) =>
      execute(program, ['kv', 'get', '-field=token', '-mount=secret', path]);
    const [first, again] = [await get(bao, 'a/b'), await get(bao, 'a/b')];
    expect(first.stdout).toMatch(/^synthetic-[0-9a-f]{24}$/);
    expect(again.stdout).toBe(first.stdout);
    const other = join(folder, 'next-run');
    materializeDoubles(other);
    const next = await get(join(other, 'bao'), 'a/b');
    expect(next.stdout).toMatch(/^synthetic-[0-9a-f]{24}$/);
    expect(next.stdout).not.toBe(first.stdout);
    expect((await get(join(other, 'bao'), 'a/c')).stdout).not.toBe(next.stdout);
  });

  test("a token of the user's is never shown", async () => {
    const env = { BAO_TOKEN: 'hvs.canary', VAULT_TOKEN: 'hvs.canary' };
    for (const args of [
      ['token', 'lookup', '-format=json'],
      ['token', 'lookup'],
      ['print', 'token'],
    ]) {
      const ran = await double(args, env);
      expect(ran).toMatchObject({ code: 0, stderr: '' });
      expect(ran.stdout).not.toContain('canary');
      expect(ran.stdout).toContain('synthetic-');
    }
  });

  test('a lease has an id and new values for nobody: dev stays as it is within a run', async () => {
    const other = join(folder, 'leases');
    materializeDoubles(other);
    const ran = await execute(join(other, 'bao'), ['read', '-format=json', 'database/creds/reader']);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      lease_id: expect.stringMatching(/^database\/creds\/reader\/synthetic-[0-9a-f]{24}$/),
      lease_duration: 3600,
      renewable: true,
    });
  });
});

describe('the double of key-cape', () => {
  const keyCape = (...args: string[]) => execute(join(folder, 'doubles', 'key-cape'), args);

  test('login --json gives a token and its end', async () => {
    const ran = await keyCape('login', '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const answer = JSON.parse(ran.stdout) as { id_token: string; expires_at: string };
    expect(Object.keys(answer)).toEqual(['id_token', 'expires_at']);
    const [header, payload, signature] = answer.id_token.split('.');
    expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toEqual({
      alg: 'HS256',
      typ: 'JWT',
      kid: 'synthetic-key',
    });
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as {
      exp: number;
      sub: string;
      iss: string;
    };
    expect(claims).toMatchObject({ sub: 'synthetic-subject', iss: 'https://synthetic-key-cape.invalid' });
    expect(Date.parse(answer.expires_at)).toBe(claims.exp * 1000);
    expect(Buffer.from(signature ?? '', 'base64url')).toHaveLength(32);
  });

  test.each([
    ['no command', [], /^usage: key-cape login \[--json\]\n$/],
    ['an unknown command', ['logout'], /^key-cape: unknown command "logout"\n/],
    ['an unknown option', ['login', '--yaml'], /^key-cape: unknown option "--yaml"\n/],
  ])('%s is usage: exit code 2, nothing on stdout', async (_what, args, stderr) => {
    const ran = await keyCape(...args);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(stderr);
  });
});

describe('materializeDoubles', () => {
  test('writes executables that need nothing beside Node, also below a package of type module', async () => {
    const home = join(folder, 'module');
    mkdirSync(home);
    writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
    const paths = materializeDoubles(join(home, 'doubles'), { seed: 's' });
    expect(paths).toEqual([join(home, 'doubles', 'bao'), join(home, 'doubles', 'key-cape')]);
    for (const path of paths) {
      expect(statSync(path).mode & 0o777).toBe(0o755);
      expect(readFileSync(path, 'utf8')).not.toMatch(/\brequire\(|from '\./);
    }
    expect(await execute(paths[0] ?? '', ['kv', 'get', '-field=f', '-mount=m', 'p'])).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  test('writes them anew over those that are there, and leaves no half ones', async () => {
    const dir = join(folder, 'anew');
    for (const seed of ['one', 'two']) materializeDoubles(dir, { seed });
    const ran = await execute(join(dir, 'bao'), ['print', 'token']);
    expect(ran.code).toBe(0);
    expect(readFileSync(join(dir, 'bao'), 'utf8')).toContain('"seed":"two"');
  });
});
