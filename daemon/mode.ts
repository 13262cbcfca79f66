import { readFileSync } from 'node:fs';
import { parseCgroup } from '../src/callers/cgroup.ts';

export type Mode = 'user' | 'system';

/**
 * Whom the daemon serves: the machine, where it is root's or a service of the system's manager, else one user. It
 * decides nothing by itself: status says what the mode protects against.
 */
export function modeOf(uid: number, env: NodeJS.ProcessEnv, pid: number, cgroup = ownCgroup()): Mode {
  if (uid === 0 || env.STATE_DIRECTORY?.startsWith('/var/lib/') === true) return 'system';
  // Started by a manager itself (not by a shell or a runner inside a service), and by no user's: those say their pid.
  const byManager = env.SYSTEMD_EXEC_PID === String(pid) && env.MANAGERPID === undefined;
  return byManager && parseCgroup(cgroup).unit !== null ? 'system' : 'user';
}

function ownCgroup(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return '';
  }
}
