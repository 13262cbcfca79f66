import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes (sshd, ssh-keygen, wardend) on two cores: generous, since a timeout here is a hang, never a measure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Most tests wait for processes of their own: two at a time keep two cores busy.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
