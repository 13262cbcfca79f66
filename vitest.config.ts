import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take minutes go first: they run beside all the others, and not alone behind them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = (file: TestSpecification): boolean =>
      /\/(?:e2e\/kill|systemd\/boot)\.test\.ts$/.test(file.moduleId);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The canary: all temporary folders in one, each looked through before it goes, and what is left at the end.
    globalSetup: ['test/support/run-folder.ts'],
    setupFiles: ['test/support/look-before-removal.ts'],
    sequence: { sequencer: LongestFirst },
    // Real processes (sshd, ssh-keygen, wardend) on two cores: generous, since a timeout here is a hang, never a measure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Where nobody looks on, a machine that stalls for a moment is given a second chance, which the report shows: a test
    // that needs one here is a bug of its own.
    retry: process.env.CI === 'true' ? 1 : 0,
    pool: 'forks',
    // Most tests wait for processes of their own: two at a time keep two cores busy.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
