import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isHeldByRoot } from '../../src/access/held-by-root.ts';
import { isRoot } from '../runner/support.ts';

const held = async (path: string): Promise<boolean> => isHeldByRoot(path, await stat(path, { bigint: true }));

test('a program of the system is held by root, by its own name and through links of the system', async () => {
  expect(await held('/usr/bin/env')).toBe(true);
  expect(await held('/bin/sh')).toBe(true);
  expect(await held('//usr/./lib/../bin/env')).toBe(true);
});

test('what lies below a folder that all may write to is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warden-held-'));
  writeFileSync(join(folder, 'x'), '');
  expect(await held(join(folder, 'x'))).toBe(false);
  symlinkSync('/usr/bin/env', join(folder, 'link'));
  expect(await held(join(folder, 'link'))).toBe(false);
  rmSync(folder, { recursive: true });
});

test('a link of a process that runs is not, whoever owns it; nor what is not there, nor another file', async () => {
  expect(await held('/proc/self/exe')).toBe(false);
  const env = await stat('/usr/bin/env', { bigint: true });
  expect(await isHeldByRoot('/usr/bin/nonesuch', env)).toBe(false);
  expect(await isHeldByRoot('/usr/bin/env/x', env)).toBe(false);
  expect(await isHeldByRoot('/bin/sh', env)).toBe(false);
});

describe.runIf(isRoot)('in a folder of root alone (needs root)', () => {
  let top: string;
  beforeAll(() => {
    top = mkdtempSync('/run/warden-held-');
    chmodSync(top, 0o755);
  });
  afterAll(() => rmSync(top, { recursive: true }));

  let number = 0;
  /** A program in a folder of its own below it. */
  const made = (change: (folder: string, program: string) => void): string => {
    const folder = join(top, String(++number));
    mkdirSync(folder);
    const program = join(folder, 'program');
    writeFileSync(program, '');
    chmodSync(program, 0o755);
    change(folder, program);
    return program;
  };

  test.each<[string, (folder: string, program: string) => void, boolean]>([
    ['a file of root is held', () => {}, true],
    ['one that its group may write is not', (_, program) => chmodSync(program, 0o775), false],
    ['one that all may write is not', (_, program) => chmodSync(program, 0o757), false],
    ['one of another user is not', (_, program) => chownSync(program, 1234, 0), false],
    ['one in a folder of another user is not', (folder) => chownSync(folder, 1234, 0), false],
    ['one in a folder that its group may write is not', (folder) => chmodSync(folder, 0o775), false],
    ['one in a sticky folder that all may write is not', (folder) => chmodSync(folder, 0o1777), false],
  ])('%s', async (_name, change, expected) => {
    expect(await held(made(change))).toBe(expected);
  });

  test('a link is as good as each step that it takes', async () => {
    const through = made((folder) => {
      symlinkSync('/usr/bin/env', join(folder, 'good'));
      mkdirSync(join(folder, 'theirs'));
      symlinkSync('/usr/bin/env', join(folder, 'theirs', 'env'));
      chownSync(join(folder, 'theirs'), 1234, 0);
      symlinkSync('theirs/env', join(folder, 'by-way-of-theirs'));
      symlinkSync('theirs', join(folder, 'folder'));
      symlinkSync('ring', join(folder, 'ring'));
    });
    const at = (name: string): string => join(through, '..', name);
    expect(await held(at('good'))).toBe(true);
    expect(await held(at('by-way-of-theirs'))).toBe(false);
    expect(await held(at('folder/env'))).toBe(false);
    expect(await isHeldByRoot(at('ring'), await stat(through, { bigint: true }))).toBe(false);
  });
});
