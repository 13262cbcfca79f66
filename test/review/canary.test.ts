import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { holdNoSecret, secretValue } from '../support/canary.ts';
import { type House, makeHouse, startDaemon } from '../support/daemon.ts';

// The tests' own tripwire: what it does not see, no test of the suite sees.
let house: House | undefined;
afterEach(() => house?.remove());

const value = secretValue('of-this-test');

test.each([
  ['as it is', `{"msg":"x","token":"${value}"}`],
  ['in hex', Buffer.from(value).toString('hex')],
  ...[0, 1, 2, 3].map((before): [string, string] => [
    `in base64 behind ${before} bytes`,
    Buffer.from(`${'x'.repeat(before)}${value} and more`).toString('base64'),
  ]),
  ['as a token of OpenBao', 'got s.0123456789abcdefghijABCD back'],
  ['as the token of a test server', 'x-vault-token: root-of-this-test'],
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

test('a house that is torn down with one in its state folder fails, and is gone all the same', () => {
  const here = makeHouse();
  mkdirSync(join(here.state, 'deep'));
  writeFileSync(join(here.state, 'deep', 'signatures.log'), value);
  expect(() => here.remove()).toThrow(/a secret value stands in .*deep\/signatures\.log$/);
  expect(() => here.remove()).not.toThrow();
});

test('a house with a core file fails', () => {
  const here = makeHouse();
  writeFileSync(join(here.folder, 'core.4711'), 'memory');
  expect(() => here.remove()).toThrow(/a core file was left/);
});

test('a daemon that was given one in its environment fails when it stops, and has stopped', async () => {
  house = makeHouse();
  const daemon = await startDaemon({ house, env: { SOMETHING: value } });
  await expect(daemon.stop()).rejects.toThrow(/a secret value stands in environ of the daemon/);
  expect(await daemon.stop()).toBe(0);
});
