import { spawn } from 'node:child_process';
import { realpathSync, statSync } from 'node:fs';
import { type FileState, fileFault } from '../../src/config/file-safety.ts';

/** How an alert's program ended. */
export type AlertEnd = 'done' | 'failed' | 'killed' | 'refused';

export interface AlertRun {
  readonly end: AlertEnd;
  /** For the log: exit code, signal, or why it was not started. */
  readonly detail: string;
}

const TIMEOUT_MS = 30_000;

/**
 * Runs a program without a shell, as the user of the daemon, with one JSON line on stdin and nothing of the daemon's
 * environment; its output goes nowhere. A program that others may write is refused, one that takes too long is killed.
 * Never rejects.
 */
export async function runAlert(
  command: readonly string[],
  about: object,
  options: { readonly uid: number; readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<AlertRun> {
  const [program = '', ...args] = command;
  const fault = faultOf(program, options.uid);
  if (fault !== null) return { end: 'refused', detail: fault };
  const deadline = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const over = AbortSignal.any([deadline, options.signal]);
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['pipe', 'ignore', 'ignore'],
      // A group of its own: what it starts in turn ends with it.
      detached: true,
    });
    const kill = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    if (over.aborted) kill();
    else over.addEventListener('abort', kill, { once: true });
    let failure = '';
    child.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code ?? 'unknown error';
      if (child.pid === undefined) resolve({ end: 'refused', detail: failure });
    });
    child.on('exit', () => over.removeEventListener('abort', kill));
    child.on('close', (code, signal) => {
      if (signal !== null) resolve({ end: 'killed', detail: deadline.aborted ? 'it took too long' : signal });
      else resolve({ end: code === 0 ? 'done' : 'failed', detail: `exit ${code}` });
    });
    // A program that does not read what it is told is free not to.
    child.stdin.on('error', () => {});
    child.stdin.end(`${JSON.stringify(about)}\n`);
  });
}

function faultOf(program: string, uid: number): string | null {
  try {
    const path = realpathSync(program);
    const stats = statSync(path);
    const kind: FileState['kind'] = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
    return fileFault(program, path, { kind, uid: stats.uid, mode: stats.mode, size: 0 }, uid)?.message ?? null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown error';
  }
}
