import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 20_000;

/** A real terminal emulator, on a socket of its own, with one shell in it. */
export class Tmux {
  readonly #folder = mkdtempSync(join(tmpdir(), 'warden-tmux-'));

  constructor(size: { readonly columns: number; readonly rows: number }, env: Readonly<Record<string, string>>) {
    const set = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const { columns, rows } = size;
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, ...set, 'sh');
  }

  /** Types a line, or one key by its name (`C-c`, `q`). */
  type(text: string, { enter = true } = {}): void {
    this.#tmux('send-keys', text, ...(enter ? ['Enter'] : []));
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  }

  /** What stands on the screen, with or without the sequences that colour it. */
  screen({ colours = false } = {}): string {
    return this.#tmux('capture-pane', '-p', ...(colours ? ['-e'] : []));
  }

  /** The screen as soon as it is as wanted. @throws with the last screen where that does not come about */
  async shows(wanted: RegExp, { colours = false } = {}): Promise<string> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const screen = this.screen({ colours });
      if (wanted.test(screen)) return screen;
      if (performance.now() > until) throw new Error(`the screen never showed ${wanted}:\n${screen}`);
      await pause(50);
    }
  }

  /** Resolves once the server and the shell in it have ended: what runs there may write its last until then. */
  async close(): Promise<void> {
    const pids = this.#tmux('display-message', '-p', '#{pid} #{pane_pid}').trim().split(' ').map(Number);
    this.#tmux('kill-server');
    const until = performance.now() + PATIENCE_MS;
    while (pids.some(runs) && performance.now() < until) await pause(10);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', join(this.#folder, 'socket'), ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TERM: 'xterm-256color', HOME: this.#folder },
    });
  }
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
