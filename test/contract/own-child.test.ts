import { join } from 'node:path';
import { createOwnChildRunner } from '../../daemon/runner/own-child.ts';
import { createValueFiles } from '../../daemon/runner/value-files.ts';
import { CALLER, Callers, openFolder, removeFolder } from '../runner/support.ts';
import { commandRunnerContract } from './command-runner.contract.ts';

const values = `/dev/shm/warden-test-${process.pid}`;

commandRunnerContract({
  name: 'children of a daemon that runs as root',
  times: 1_000,
  async start() {
    const folder = openFolder();
    const callers = await Callers.listen(join(folder, 'd.sock'));
    const runner = createOwnChildRunner({
      own: { uid: 0, gid: 0, groups: process.getgroups?.() ?? [] },
      valueFiles: createValueFiles([values]),
    });
    return {
      runner,
      callers,
      ids: CALLER,
      valueFolders: [values],
      async close() {
        await callers.close();
        removeFolder(folder);
        removeFolder(values);
      },
    };
  },
});
