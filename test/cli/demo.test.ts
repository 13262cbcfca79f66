import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { warden } from '../support/cli.ts';

const leftBehind = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('warden-demo-'));

test('$ warden demo goes from nothing to a login, two refusals and a whole ledger, and leaves nothing behind', async () => {
  builtPrograms();
  const before = leftBehind();
  const result = await warden(['demo']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const commands = result.stdout
    .split('\n')
    .filter((line) => line.startsWith('$ '))
    .map((line) => line.split(' ').slice(1, 3).join(' '));
  expect(commands).toEqual([
    'warden init',
    'warden check',
    'warden status',
    'ssh-keygen -q',
    'warden sign',
    'ssh-keygen -L',
    'warden ca',
    'ssh-keygen -q',
    'ssh -p',
    'warden sign',
    'warden sign',
    'warden ledger',
    'warden ledger',
  ]);
  expect(result.stdout).toMatch(/Key ID: "synthetic-agt-demo\//);
  expect(result.stdout).toMatch(/\n {2}logged in as \S+\n/);
  expect(result.stdout).toContain('why: ttl_out_of_bounds');
  expect(result.stdout).toContain('why: caller_not_allowed');
  expect(result.stdout).toMatch(/whole: \d+ records/);
  expect(leftBehind()).toEqual(before);
});
