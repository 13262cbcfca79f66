import { readFileSync } from 'node:fs';

/**
 * Whether this process may read its terminal: in the background a read would stop it, and with it a command that
 * may want no input at all.
 */
export function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return true;
  }
}
