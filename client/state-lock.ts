import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { WardenError } from '../src/kernel/errors.ts';

/**
 * Refuses while a daemon has the state folder: it holds a lock on `wardend.lock` for as long as it lives, and
 * the kernel lists who holds what. @throws WardenError state_in_use
 */
export function refuseWhileLocked(stateDir: string): void {
  const lock = statSync(join(stateDir, 'wardend.lock'), { throwIfNoEntry: false });
  if (lock === undefined) return;
  // `1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF`; waiting ones have `->` after the number.
  const held = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => /^\d+:\s+\S+\s+\S+\s+\S+\s+(-?\d+)\s+\S+:(\d+)\s/.exec(line))
    .find((match) => match?.[2] === String(lock.ino));
  if (held === undefined || held === null) return;
  const pid = Number(held[1]);
  throw new WardenError('state_in_use', `a wardend${pid > 0 ? ` (pid ${pid})` : ''} works in ${stateDir}`, {
    hint: 'stop it first: systemctl stop wardend, or kill its pid',
  });
}
