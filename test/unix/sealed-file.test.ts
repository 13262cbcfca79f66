import { closeSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sealedFiles } from '../../src/unix/sealed-file.ts';

test.each([
  ['plain', 'sealed copy of tool', 'sealed copy of tool'],
  ['of other letters', 'sealed copy of prüfung', 'sealed copy of prüfung'],
  ['as long as a file’s name can be', `sealed copy of ${'é'.repeat(127)}`, `sealed copy of ${'é'.repeat(92)}\ufffd`],
])('a sealed file takes a name that is %s', (_, name, shown) => {
  const fd = sealedFiles().create(name);
  try {
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(`/memfd:${shown} (deleted)`);
  } finally {
    closeSync(fd);
  }
});
