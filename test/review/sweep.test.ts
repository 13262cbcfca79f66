import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweep } from '../support/run-folder.ts';

/** No process has it: it is above what Linux gives. */
const DEAD = 2 ** 22 + 1;
const HOURS_AGO = new Date(Date.now() - 7_200_000);

test('what a killed run left is removed, and nothing of a run that may go on', () => {
  const parent = mkdtempSync(join(tmpdir(), 'warden-sweep-'));
  const folder = (name: string, pid: number | null, at: Date): void => {
    mkdirSync(join(parent, name, 'deep'), { recursive: true });
    if (pid === null) return;
    writeFileSync(join(parent, name, '.pid'), String(pid));
    utimesSync(join(parent, name, '.pid'), at, at);
  };
  try {
    folder('wr-killed', DEAD, HOURS_AGO);
    folder('wr-recent', DEAD, new Date());
    folder('wr-runs12', process.pid, HOURS_AGO);
    folder('wr-nobody', null, HOURS_AGO);
    folder('another-1', DEAD, HOURS_AGO);
    sweep(parent);
    expect(readdirSync(parent).sort()).toEqual(['another-1', 'wr-nobody', 'wr-recent', 'wr-runs12']);
  } finally {
    rmSync(parent, { recursive: true });
  }
});
