import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { secretValue } from '../../support/canary.ts';

test('a secret in a place where it may be, and none elsewhere', () => {
  const house = mkdtempSync(join(tmpdir(), 'warden-test-'));
  mkdirSync(join(house, 'config'));
  writeFileSync(join(house, 'config', 'token'), secretValue('of-the-daemon'));
  writeFileSync(join(house, 'signatures.log'), '{"seq":1}');
  expect(() => rmSync(house, { recursive: true })).not.toThrow();
});
