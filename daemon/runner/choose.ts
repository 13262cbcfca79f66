import type { Identity } from '../../src/access/become.ts';
import type { CommandRunner } from '../../src/access/command-runner.ts';
import { createOwnChildRunner } from './own-child.ts';
import { createSpawnerRunner } from './spawner-runner.ts';
import { createValueFiles, userFolders } from './value-files.ts';

let chosen: CommandRunner | null = null;

/**
 * Who starts commands: one for the life of the daemon, since it hangs on nothing that a reload can change.
 * @param spawner where wardend-spawner listens; null: nobody but the daemon itself
 */
export function chooseRunner(own: Identity, spawner: string | null): CommandRunner {
  chosen ??=
    spawner === null
      ? createOwnChildRunner({ own, valueFiles: createValueFiles(userFolders(process.env, own.uid)) })
      : createSpawnerRunner({ path: spawner });
  return chosen;
}
