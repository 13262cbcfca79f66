import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
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
 * @param before what is to be done as root
 */
export async function spawnerHouse(before?: () => void): Promise<SpawnerHouse> {
  const { spawner } = builtPrograms();
  before?.();
  const folder = openFolder();
  const path = join(folder, 'spawner.sock');
  // As /run/warden, it is wardend's own: one that has been taken over can put other sockets there.
  const own = join(folder, 'run');
  mkdirSync(own);
  chmodSync(own, 0o755);
  chownSync(own, WARDEND_UID, WARDEND_UID);
  const wardendSocket = join(own, 'd.sock');
  const callers = await Callers.listen(wardendSocket);
  const child = spawn(
    process.execPath,
    [spawner, '--user', `${WARDEND_UID}`, '--socket', path, '--wardend-socket', wardendSocket],
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
      callers.root(`kill -TERM ${pid} 2>/dev/null`);
      await gone;
      callers.root(`rm -rf '${folder}' /dev/shm/warden-test-${process.pid}`);
      await callers.close();
    },
  };
}
