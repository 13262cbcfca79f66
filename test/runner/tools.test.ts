import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { forEverybody } from '../../daemon/runner/tools.ts';

test.each([
  [0o755, true],
  [0o711, true],
  [0o750, false],
  [0o700, false],
  [0o644, false],
])('perl of mode %o is used: %s', (mode, used) => {
  const folder = mkdtempSync(join(tmpdir(), 'warden-tools-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const perl = join(folder, 'perl');
  writeFileSync(perl, '');
  chmodSync(perl, mode);
  expect(forEverybody(perl)).toBe(used ? perl : null);
});

test('a perl that is not there is none', () => {
  expect(forEverybody(null)).toBeNull();
});
