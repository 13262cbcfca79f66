import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WardenError } from '../src/kernel/errors.ts';
import { type EnvPosture, POSTURES } from '../src/kernel/posture.ts';

const FILE = 'posture';

/**
 * A state folder belongs to one posture for life: neither a reload nor a restart turns a dev ledger, with its
 * synthetic certificates, into a prod one.
 * @throws WardenError posture_forbids
 */
export function bindPosture(stateDir: string, posture: EnvPosture): void {
  const path = join(stateDir, FILE);
  const recorded = read(path);
  if (recorded === null) {
    writeFileSync(path, `${posture}\n`, { mode: 0o600, flag: 'wx' });
    return;
  }
  if (recorded === posture) return;
  const known = (POSTURES as readonly string[]).includes(recorded) ? recorded : 'unreadable';
  throw new WardenError(
    'posture_forbids',
    `the state folder ${stateDir} is of posture ${known}, and the config says ${posture}`,
    {
      hint: 'give this posture a state folder of its own: --state DIR',
    },
  );
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
