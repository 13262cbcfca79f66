import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configFolder, ownPaths, pathFacts } from '../../client/paths.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warden-paths-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a folder is our own', () => {
  test.each<[string, (path: string) => void, boolean]>([
    ['where it is 0700', (path) => mkdirSync(path, { mode: 0o700 }), true],
    ['not where others may look in', (path) => mkdirSync(path, { mode: 0o755 }), false],
    [
      'not where it is a link to one',
      (path) => {
        mkdirSync(`${path}-real`, { mode: 0o700 });
        symlinkSync(`${path}-real`, path);
      },
      false,
    ],
    ['not where it is missing', () => {}, false],
  ])('%s', (_name, make, expected) => {
    const path = join(folder, 'x');
    make(path);
    expect(pathFacts({}).isOwnDir(path)).toBe(expected);
  });
});

test('what is not there is looked for where init would write it', () => {
  const env = { HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') };
  const own = ownPaths(env).configDir;
  expect(own).toMatch(process.getuid?.() === 0 ? /^\/etc\/warden$/ : /config\/warden$/);
  if (process.getuid?.() !== 0) {
    mkdirSync(own, { recursive: true });
    chmodSync(own, 0o700);
  }
  expect(configFolder(env)).toBe(own);
});
