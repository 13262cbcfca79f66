import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { ProcessStatus } from '../src/rpc/generated/warden/v1/warden.ts';
import { native } from '../src/unix/native.ts';
import { terminalsWork } from '../src/unix/terminals.ts';

/** What does not change while the process runs: to be read once. */
export async function processStatus(): Promise<ProcessStatus> {
  return {
    node: process.version,
    kernel: release(),
    uid: process.geteuid?.() ?? 0,
    dumpable: native().dumpable() !== 0,
    coreLimit: coreLimit(await readFile('/proc/self/limits', 'utf8').catch(() => '')),
    pidfd: holdsByPidfd(),
    terminals: terminalsWork(),
  };
}

/** Soft limit in bytes, out of /proc/PID/limits; what cannot be read counts as unlimited. */
export function coreLimit(limits: string): bigint {
  const soft = /^Max core file size +(\S+)/m.exec(limits)?.[1];
  return soft !== undefined && /^\d+$/.test(soft) ? BigInt(soft) : 2n ** 64n - 1n;
}

function holdsByPidfd(): boolean {
  const kernel = native();
  const fd = kernel.pidfdOpen(process.pid);
  if (typeof fd !== 'number') return false;
  kernel.close(fd);
  return true;
}
