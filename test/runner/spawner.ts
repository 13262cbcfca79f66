import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { builtPrograms } from '../support/built.ts';
import { becomeForGood } from './become.ts';
import { Callers, openFolder } from './support.ts';

/** As whom the spawner's only client runs; a number that no account has. */
export const WARDEND_UID = 54_420;

export interface SpawnerHouse {
  readonly folder: string;
  /** The spawner's socket. */
  readonly path: string;
  readonly callers: Callers;
  readonly pid: number;
  /** What it logged, as lines. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/**
 * A real wardend-spawner as root, callers of every uid, and this very process from now on as wardend, for good: it has
 * to be a process of its own, as each test file has.
 */
export async function spawnerHouse(options: readonly string[] = []): Promise<SpawnerHouse> {
  const { spawner } = builtPrograms();
  const folder = openFolder();
  const path = join(folder, 'spawner.sock');
  const wardendSocket = join(folder, 'd.sock');
  const callers = await Callers.listen(wardendSocket);
  const child = spawn(
    process.execPath,
    [spawner, '--user', `${WARDEND_UID}`, '--socket', path, '--wardend-socket', wardendSocket, ...options],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      env: { RUNTIME_DIRECTORY: `/dev/shm/warden-test-${process.pid}` },
    },
  );
  const log: string[] = [];
  const lines = createInterface({ input: child.stderr });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      log.push(line);
      if (line.includes('"msg":"ready"')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the spawner ended with ${code}: ${log.join('\n')}`)));
  });
  becomeForGood({ uid: WARDEND_UID, gid: WARDEND_UID, groups: [] });
  const { pid = 0 } = child;
  const gone = once(child, 'exit');
  return {
    folder,
    path,
    callers,
    pid,
    log,
    async close() {
      callers.root(`kill -TERM ${pid}`);
      await gone;
      callers.root(`rm -rf '${folder}' /dev/shm/warden-test-${process.pid}`);
      await callers.close();
    },
  };
}
