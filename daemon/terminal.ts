import { readFileSync } from 'node:fs';

/** Has the process a controlling terminal (field `tty_nr` of /proc/PID/stat)? What can't be read has none. */
export function hasTerminal(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which the program chooses: count from the last bracket.
    const ttyNumber = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4];
    return ttyNumber !== undefined && ttyNumber !== '0';
  } catch {
    return false;
  }
}
