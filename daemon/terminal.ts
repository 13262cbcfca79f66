import { readFileSync } from 'node:fs';

/**
 * Is the process in the foreground of a terminal, where its person can see it and stop it? What can't be read is not,
 * nor is a job in the background, which shares the terminal of a person who may know nothing of it.
 */
export function hasTerminal(pid: number): boolean {
  try {
    return inForeground(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Of a line of /proc/PID/stat: a controlling terminal (`tty_nr`), whose foreground group (`tpgid`) is its own (`pgrp`). */
export function inForeground(stat: string): boolean {
  // The second field is the program's name in brackets, which the program chooses: count from the last bracket.
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return terminal !== undefined && terminal !== '0' && group !== undefined && group === foreground;
}
