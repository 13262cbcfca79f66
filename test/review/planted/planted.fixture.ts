import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { secretValue } from '../../support/canary.ts';
import { makeHouse, startDaemon } from '../../support/daemon.ts';

// Every test here passes, and the run fails for what they planted.
const value = secretValue('planted');
const folder = (name: string): string => mkdtempSync(join(tmpdir(), `warden-${name}-`));

test('in hex, in a folder that is removed', () => {
  const dir = folder('removed');
  mkdirSync(join(dir, 'deep'));
  writeFileSync(join(dir, 'deep', 'trace.bin'), Buffer.from(value).toString('hex'));
  expect(() => rmSync(dir, { recursive: true })).toThrow(/a secret value, in hex stands in .*trace\.bin$/);
  expect(existsSync(dir)).toBe(false);
});

test('in a folder whose removal nobody waits for', async () => {
  const dir = folder('promised');
  writeFileSync(join(dir, 'swallowed.log'), value);
  await rm(dir, { recursive: true }).catch(() => undefined);
  expect(existsSync(dir)).toBe(false);
});

test('in base64, in a folder that is left', () => {
  writeFileSync(join(folder('left'), 'session.cast'), Buffer.from(`x${value} and more`).toString('base64'));
});

test('where a large file is read in two parts', () => {
  writeFileSync(join(folder('large'), 'large.log'), `${'.'.repeat(4 * 1024 * 1024 - 5)}${value}${'.'.repeat(999)}`);
});

test('the memory of a process', () => {
  const core = Buffer.alloc(64);
  core.write('\x7fELF', 'latin1');
  core.writeUInt16LE(4, 16);
  writeFileSync(join(folder('core'), 'memory-of-a-daemon'), core);
});

test('in the state folder of a house that is torn down', () => {
  const here = makeHouse();
  writeFileSync(join(here.state, 'signatures.log'), value);
  expect(() => here.remove()).toThrow(/a secret value stands in .*signatures\.log$/);
  expect(() => here.remove()).not.toThrow();
});

test('a core file in a house', () => {
  const here = makeHouse();
  writeFileSync(join(here.folder, 'core.4711'), 'memory');
  expect(() => here.remove()).toThrow(/a core file was left/);
});

test('in the environment of a daemon, which has stopped all the same', async () => {
  const daemon = await startDaemon({ env: { SOMETHING: value } });
  await expect(daemon.stop()).rejects.toThrow(/a secret value stands in environ of the daemon/);
  expect(await daemon.stop()).toBe(0);
  daemon.house.remove();
});

test('in the arguments of a daemon that no helper of the tests started', async () => {
  const program = join(folder('program'), 'wardend.mjs');
  writeFileSync(program, 'setTimeout(() => {}, 1_500);');
  const [code] = (await once(spawn(process.execPath, [program, '--token', value]), 'exit')) as [number];
  expect(code).toBe(0);
});
