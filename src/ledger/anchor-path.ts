import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';

/**
 * Where a daemon notes how far its ledger got: beside its socket, a folder that a copy of the state folder does not
 * bring along, under a name that tells the state folders of several daemons apart. Both paths are absolute, and as
 * the daemon was given them: a link is not followed here.
 */
export function anchorPath(stateDir: string, socketPath: string): string {
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 16);
  return join(dirname(socketPath), `ledger-${name}.anchor`);
}
