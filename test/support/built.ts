import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = ['src', 'daemon', 'client', '.ci/build.mjs', 'package.json'];
/** Kept of earlier sources: a test run that is under way may still use one. */
const KEPT = 4;

export interface Built {
  readonly warden: string;
  readonly wardend: string;
  readonly spawner: string;
}

let built: Built | null = null;

/**
 * The two programs as a user gets them, bundled from the sources as they are now: once for each state of the
 * sources, in a folder of its own, so that runs at the same time do not replace each other's files.
 */
export function builtPrograms(): Built {
  built ??= build();
  return built;
}

function build(): Built {
  const cache = join(root, '.cache', 'built');
  const target = join(cache, stateOfSources());
  if (!existsSync(target)) {
    mkdirSync(cache, { recursive: true });
    const house = join(cache, `.${randomBytes(6).toString('hex')}`);
    mkdirSync(join(house, '.ci'), { recursive: true });
    copyFileSync(join(root, '.ci', 'build.mjs'), join(house, '.ci', 'build.mjs'));
    for (const name of ['src', 'daemon', 'client', 'package.json', 'proto', 'node_modules']) {
      symlinkSync(join(root, name), join(house, name));
    }
    execFileSync(process.execPath, [join(house, '.ci', 'build.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      renameSync(house, target);
    } catch (error) {
      // Another run was first with the same sources.
      rmSync(house, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
    removeOld(cache);
  }
  return {
    warden: join(target, 'dist', 'warden.cjs'),
    wardend: join(target, 'dist', 'wardend.mjs'),
    spawner: join(target, 'dist', 'wardend-spawner.mjs'),
  };
}

function stateOfSources(): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else hash.update(`${path} ${stats?.mtimeMs} ${stats?.size}\n`);
  };
  for (const source of SOURCES) add(join(root, source));
  return hash.digest('hex').slice(0, 16);
}

function removeOld(cache: string): void {
  const byAge = readdirSync(cache)
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({
      path: join(cache, name),
      at: statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of byAge.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}
