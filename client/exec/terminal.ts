import { spawnSync } from 'node:child_process';
import { TOOL_FOLDERS } from '../../src/unix/terminals.ts';

/** One start of a program for both: what the terminal is like now, then raw. */
const RAW = 'stty -g && exec stty raw -echo -iexten';

/**
 * The terminal on stdin, handed over to the command's own: every byte goes through as it is, both ways. Node's raw mode
 * would still put a carriage return before each newline that is shown, where the command's terminal has put one, or,
 * for a program that moves its cursor down with it, none belongs.
 */
export class OuterTerminal {
  /** What it was like, as stty says it; null while it is that. */
  #before: string | null = null;

  /** Also where somebody has set it otherwise since. Only in the foreground: in the background it would stop us. */
  raw(): void {
    const before = stty(RAW);
    if (before === null) process.stdin.setRawMode?.(true);
    this.#before ??= before ?? '';
  }

  /** As it was. Does nothing where it is. */
  restore(): void {
    const before = this.#before;
    if (before === null) return;
    this.#before = null;
    if (before === '' || stty(`exec stty '${before}'`) === null) process.stdin.setRawMode?.(false);
  }
}

/** What it printed; null where there is no stty, or it did not like the terminal. */
function stty(script: string): string | null {
  const { status, stdout } = spawnSync('/bin/sh', ['-c', script], {
    env: { PATH: TOOL_FOLDERS.join(':') },
    stdio: ['inherit', 'pipe', 'ignore'],
    encoding: 'latin1',
  });
  return status === 0 && /^[0-9a-f:]*\n?$/.test(stdout) ? stdout.trim() : null;
}
