import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { holdNoSecret, lookThrough, secretValue } from '../support/canary.ts';

// The tests' own tripwire: what it does not see, no test of the suite sees.
const value = secretValue('of-this-test');

test.each([
  ['as it is', `{"msg":"x","token":"${value}"}`],
  ['in hex', Buffer.from(value).toString('hex')],
  ...[0, 1, 2, 3].map((before): [string, string] => [
    `in base64 behind ${before} bytes`,
    Buffer.from(`${'x'.repeat(before)}${value} and more`).toString('base64'),
  ]),
  ['as a token of OpenBao', 'got s.0123456789abcdefghijABCD back'],
  ['as the token of a test server', `x-vault-token: ${secretValue('root-token')}`],
])('a secret %s is seen', (_name, text) => {
  expect(() => holdNoSecret(text, 'here')).toThrow(/ stands in here$/);
});

test.each([
  ['a fingerprint', 'SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE'],
  ['an accessor', '"token_accessor":"Q8pJ1bdl4Gu9B2eU3pN4wXyZ"'],
  ['the word by itself', 'a canary that sings'],
])('%s is none', (_name, text) => {
  expect(() => holdNoSecret(text, 'here')).not.toThrow();
});

test('a file too large to be looked through is a finding, and keeps nobody', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warden-test-'));
  const file = join(folder, 'sparse');
  writeFileSync(file, '');
  truncateSync(file, 2 ** 40);
  expect(lookThrough(folder, folder).findings).toEqual([expect.stringContaining('too large to be looked through')]);
  unlinkSync(file);
  rmSync(folder, { recursive: true });
});

/** The suite's canary in a run of its own. */
function runOf(fixture: string): Promise<{ code: number | null; output: string }> {
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const config = fileURLToPath(new URL('planted/vitest.config.ts', import.meta.url));
  const child = spawn(process.execPath, [vitest, 'run', '--config', config, fixture], {
    env: { PATH: process.env.PATH ?? '', HOME: tmpdir(), TMPDIR: tmpdir(), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

test('a run in which every test passes fails for each secret that it left, and names no other place', async () => {
  const { code, output } = await runOf('planted.fixture.ts');
  expect(output).toContain('9 passed (9)');
  expect(code, output).toBe(1);
  expect(output).toContain('the run left secrets behind');
  const findings = output.split('\n').filter((line) => / stands in /.test(line));
  const places: [string, string][] = [
    ['a secret value, in hex', 'trace.bin'],
    ['a secret value', 'swallowed.log'],
    ['a secret value, in base64', 'session.cast'],
    ['a secret value', 'large.log'],
    ['the memory of a process', 'memory-of-a-daemon'],
    ['a secret value', 'signatures.log'],
    ['a secret value', 'environ of the daemon'],
    ['a secret value', 'cmdline of the daemon'],
  ];
  for (const [what, place] of places) {
    expect(findings).toContainEqual(expect.stringMatching(new RegExp(`^  ${what} stands in (?:\\S+/)?${place}`)));
  }
  expect(findings).toHaveLength(places.length);
});

test('a run in which a secret is where it may be says how much it looked through', async () => {
  const { code, output } = await runOf('clean.fixture.ts');
  expect(output).toMatch(/Canary {2}found nowhere \(\d+ files, \d+ MiB, \d+\.\d s\)/);
  expect(code, output).toBe(0);
});
