import fs, { type RmOptions } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { lookThrough } from './canary.ts';
import { noteLook } from './run-folder.ts';

/**
 * vitest's `setupFiles`: what a test removes of the run's folder is looked through first. Here and not in a helper of
 * the tests, so that no test can forget it.
 */
const root = tmpdir();

function look(path: fs.PathLike): void {
  const text = String(path);
  if (!text.startsWith(`${root}/`)) return;
  const start = performance.now();
  const looked = lookThrough(text, root);
  if (looked.files > 0) noteLook(root, looked, performance.now() - start);
}

// The removal goes ahead whatever was seen: what failed once is not to fail again in the next test.
const { rmSync } = fs;
fs.rmSync = (path: fs.PathLike, options?: RmOptions) => {
  try {
    look(path);
  } finally {
    rmSync(path, options);
  }
};
const { rm } = fs.promises;
fs.promises.rm = async (path: fs.PathLike, options?: RmOptions) => {
  try {
    look(path);
  } finally {
    await rm(path, options);
  }
};
syncBuiltinESMExports();
