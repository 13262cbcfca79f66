import { dirname, join } from 'node:path';
import { createOwnChildRunner } from '../../daemon/runner/own-child.ts';
import { createValueFiles } from '../../daemon/runner/value-files.ts';
import { becomeForGood } from '../runner/become.ts';
import { CALLER, Callers, isRoot, openFolder, removeFolder } from '../runner/support.ts';
import { commandRunnerContract } from './command-runner.contract.ts';

const values = `/dev/shm/warden-test-user-${process.pid}`;

commandRunnerContract({
  name: 'children of a daemon of the caller’s own (user mode)',
  times: 60,
  async start() {
    // Before: root's shell starts the callers.
    const callers = await Callers.listen(join(openFolder(), 'd.sock'));
    if (isRoot) becomeForGood(CALLER);
    const ids = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1, groups: process.getgroups?.() ?? [] };
    return {
      runner: createOwnChildRunner({ own: ids, valueFiles: createValueFiles([values]) }),
      callers,
      ids: { ...ids, groups: ids.groups.filter((group) => group !== ids.gid) },
      valueFolders: [values],
      async close() {
        callers.root(`rm -rf '${dirname(callers.path)}'`);
        await callers.close();
        removeFolder(values);
      },
    };
  },
});
