import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Checkout, checkout, npmEnv } from '../support/checkout.ts';

const run = promisify(execFile);
/** npm asks a registry for what its cache lacks. */
const NPM_MS = 240_000;

describe('the package that npm pack makes', () => {
  let sources: Checkout;
  let home: string;
  let tarball: string;
  let paths: readonly string[];

  beforeAll(async () => {
    sources = checkout();
    home = mkdtempSync(join(tmpdir(), 'warden-package-'));
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', home], {
      cwd: sources.folder,
      env: npmEnv(home),
    });
    const [entry] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string; files: { path: string }[] }];
    tarball = join(home, entry.filename);
    paths = entry.files.map(({ path }) => path);
  }, NPM_MS);
  afterAll(() => {
    sources?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  test.each([
    ['both programs', ['dist/wardend.mjs', 'dist/warden.cjs']],
    ['what they load of their own', /import\(['"]\.\/([\w-]+\.cjs)['"]\)|require\(['"]\.\/([\w-]+\.cjs)['"]\)/g],
    ['the worker that reads config files', ['dist/config-worker.mjs']],
    ['the wire contract', ['proto/warden/v1/warden.proto']],
    [
      'the policy package and a registry',
      ['examples/flex-auth/policy_package.md', 'examples/flex-auth/registry_snapshot.json'],
    ],
    ['the pages that README points to', ['docs/cli.md', 'docs/config.md', 'docs/rollout.md', 'docs/performance.md']],
    [
      'the JSON Schemas that editors check against',
      ['docs/schemas/warden.schema.json', 'docs/schemas/inventory.schema.json'],
    ],
    [
      'the units for systemd',
      ['systemd/system/wardend.service', 'systemd/system/wardend-spawner.socket', 'systemd/user/wardend.service'],
    ],
    ['licence, changes and threat model', ['LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'README.md']],
  ])('holds %s', (_name, wanted) => {
    const names = Array.isArray(wanted)
      ? wanted
      : loadedBy(join(sources.folder, 'dist', 'warden.cjs'), wanted as RegExp);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(paths).toContain(name);
  });

  test('holds no source, test, key or state', () => {
    expect(
      paths.filter((path) => /^(src|daemon|client|test|\.ci|\.cache|node_modules)\/|ca_ed25519|\.log$/.test(path)),
    ).toEqual([]);
  });

  test('is small: at most 4 MiB to fetch', () => {
    expect(statSync(tarball).size).toBeLessThan(4 * 1024 * 1024);
  });

  describe('installed in an empty folder, without anything for development', () => {
    let folder: string;
    const program = (name: string, ...args: string[]) =>
      run(join(folder, 'node_modules', '.bin', name), args, {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: home, LC_ALL: 'C.UTF-8' },
      });

    beforeAll(async () => {
      folder = join(home, 'empty');
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), '{"private":true}');
      await run('npm', ['install', '--ignore-scripts', tarball], { cwd: folder, env: npmEnv(home) });
    }, NPM_MS);

    test('brings what is loaded at run time, and no compiler, bundler or test runner', () => {
      const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as { packages: object };
      const names = Object.keys(lock.packages);
      for (const name of ['koffi', '@cedar-policy/cedar-wasm']) expect(names).toContain(`node_modules/${name}`);
      for (const name of ['esbuild', 'typescript', 'vitest', '@biomejs/biome']) {
        expect(names).not.toContain(`node_modules/${name}`);
      }
    });

    test.each(['wardend', 'warden'])('$ %s --version says the version of the package', async (name) => {
      const { version } = JSON.parse(readFileSync(join(sources.folder, 'package.json'), 'utf8')) as { version: string };
      expect((await program(name, '--version')).stdout).toBe(`${name} ${version}\n`);
    });

    test('$ warden demo goes from nothing to a whole ledger', async () => {
      const { stdout, stderr } = await program('warden', 'demo');
      expect(stderr).toBe('');
      expect(stdout).toMatch(/\n {2}whole: \d+ records/);
      expect(stdout).toMatch(/\nall as expected, in /);
    });

    test('the double evaluates the policy package, so the policy engine is there', async () => {
      const examples = join(folder, 'node_modules', 'wardend', 'examples', 'flex-auth');
      const args = [
        '--registry',
        join(examples, 'registry_snapshot.json'),
        '--policy',
        join(examples, 'policy_package.md'),
      ];
      const double = execFile(join(folder, 'node_modules', '.bin', 'warden'), [
        'double',
        'flex-auth',
        '--config',
        join(home, 'none'),
        '--addr',
        `unix://${join(home, 'd.sock')}`,
        ...args,
      ]);
      const ended = new Promise((resolve) => double.once('close', resolve));
      const said = await new Promise((resolve) => {
        double.stdout?.once('data', resolve);
        double.stderr?.once('data', resolve);
      });
      double.kill('SIGTERM');
      expect(said).toBe(`flex-auth double (synthetic) on unix://${join(home, 'd.sock')}\n`);
      expect(await ended).toBe(0);
    });
  });
});

/** The files beside a bundle that it loads. */
function loadedBy(bundle: string, load: RegExp): string[] {
  return [...readFileSync(bundle, 'utf8').matchAll(load)].map(([, a, b]) => `dist/${a ?? b}`);
}
