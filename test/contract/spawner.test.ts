import { describe, test } from 'vitest';
import { createSpawnerRunner } from '../../daemon/runner/spawner-runner.ts';
import { spawnerHouse } from '../runner/spawner.ts';
import { CALLER, isRoot } from '../runner/support.ts';
import { commandRunnerContract } from './command-runner.contract.ts';

if (isRoot) {
  commandRunnerContract({
    name: 'wardend-spawner, asked by a wardend of another uid',
    times: 150,
    async start() {
      const house = await spawnerHouse();
      return {
        runner: createSpawnerRunner({ path: house.path }),
        callers: house.callers,
        ids: CALLER,
        valueFolders: [`/dev/shm/warden-test-${process.pid}/values`, `/dev/shm/warden-test-${process.pid}`],
        close: () => house.close(),
      };
    },
  });
} else {
  describe('wardend-spawner', () => {
    test('becomes other users, as only root can', ({ skip }) => skip('only root can play other users'));
  });
}
