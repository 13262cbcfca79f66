import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundle, bundleEnv, start, tempDir } from './attest-fixture.ts';

const shared = realpathSync(mkdtempSync(join(tmpdir(), 'warden-test-')));
const program = join(shared, 'racer.mjs');
beforeAll(async () => {
  await bundle('racer.ts', program);
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));

async function racer(path: string) {
  const child = start(process.execPath, [program, path], bundleEnv);
  expect(await child.line()).toBe('ready');
  return child;
}

/** The pid that serves the socket. */
function servedBy(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    connect(path)
      .setEncoding('utf8')
      .on('data', (data: string) => {
        text += data;
      })
      .on('error', reject)
      .on('end', () => resolve(Number(text)));
  });
}

async function race(path: string, racers: Awaited<ReturnType<typeof racer>>[]) {
  for (const { say } of racers) say('go');
  const said = await Promise.all(racers.map(({ line }) => line()));
  const winner = racers[said.indexOf('listening')];
  expect([...said].sort()).toEqual(['listening', ...Array(racers.length - 1).fill('socket_in_use')]);
  expect(await servedBy(path)).toBe(winner?.child.pid);
  return winner;
}

it('of daemons that start at once on one socket exactly one gets it, 150 times over', async () => {
  const path = join(tempDir(), 'w.sock');
  const racers = [await racer(path), await racer(path), await racer(path)];
  for (let round = 0; round < 150; round++) {
    await race(path, racers);
    for (const { say } of racers) say('stop');
    expect(await Promise.all(racers.map(({ line }) => line()))).toEqual(['closed', 'closed', 'closed']);
  }
});

it('of daemons that start at once over the socket of a killed one exactly one gets it', async () => {
  const path = join(tempDir(), 'w.sock');
  let racers = [await racer(path), await racer(path)];
  for (let round = 0; round < 10; round++) {
    const winner = await race(path, racers);
    winner?.child.kill('SIGKILL');
    await winner?.exited;
    const loser = racers.find((one) => one !== winner);
    loser?.say('stop');
    expect(await loser?.line()).toBe('closed');
    racers = [await racer(path), ...(loser === undefined ? [] : [loser])];
  }
});
