import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** A run of its own, with the canary of the whole suite, for `canary.test.ts` to look at. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../..', import.meta.url)),
    include: ['test/review/planted/*.fixture.ts'],
    globalSetup: ['test/support/run-folder.ts'],
    setupFiles: ['test/support/look-before-removal.ts'],
    testTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
