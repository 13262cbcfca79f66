import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createValueFiles } from '../../daemon/runner/value-files.ts';
import { bundleEnv, start, tempDir } from '../daemon/attest-fixture.ts';
import { lives, openFolder, untilGone } from './support.ts';

const values = `/dev/shm/warden-killed-${process.pid}`;
const folder = openFolder();
const program = join(folder, 'daemon.mjs');

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('./fixtures/daemon.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
    logLevel: 'error',
  });
});
afterAll(() => {
  for (const made of [values, folder]) rmSync(made, { recursive: true, force: true });
});

async function until(path: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!existsSync(path)) {
    if (performance.now() > end) throw new Error(`${path} never came`);
    await pause(20);
  }
}

/** A daemon with one command that runs, killed. */
async function killed(script: string, terminal: boolean): Promise<{ pid: number; dir: string }> {
  const dir = tempDir();
  const path = join(dir, 'd.sock');
  const text = script.replaceAll('DIR', dir);
  const daemon = start(process.execPath, [program, path, values, text], {
    ...bundleEnv,
    WITH_TERMINAL: terminal ? '1' : '0',
  });
  expect(await daemon.line()).toBe('listening');
  const caller = createConnection(path);
  caller.on('error', () => {});
  const pid = Number(await daemon.line());
  await until(join(dir, 'on'));
  expect(readdirSync(values)).toHaveLength(1);
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  return { pid, dir };
}

describe('a daemon that is killed', () => {
  test('its command gets SIGTERM', async () => {
    const { pid, dir } = await killed("trap ': >DIR/term; exit' TERM; : >DIR/on; while :; do sleep 0.05; done", false);
    await until(join(dir, 'term'));
    await untilGone(pid);
  });
  test('what runs at its terminal gets SIGHUP, all of it', async () => {
    const { pid, dir } = await killed(
      'sh -c "trap \': >DIR/hup; exit\' HUP; : >DIR/on; while :; do sleep 0.05; done"; :',
      true,
    );
    await until(join(dir, 'hup'));
    await untilGone(pid);
  });
  test('the next one removes its values, and leaves those of one that lives', async () => {
    mkdirSync(values, { recursive: true });
    for (const name of readdirSync(values)) expect(statSync(join(values, name)).isDirectory()).toBe(true);
    expect(readdirSync(values).length).toBeGreaterThan(0);
    const living = createValueFiles([values]);
    const kept = living.write(new Map([['A', Buffer.from('a')]]), null);
    createValueFiles([values]).sweep();
    expect(readdirSync(values)).toHaveLength(1);
    expect(existsSync(kept.paths.get('A') ?? '')).toBe(true);
    kept.remove();
    expect(readdirSync(values)).toEqual([]);
    expect(lives(process.pid)).toBe(true);
  });
});
