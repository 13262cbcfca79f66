import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import type { FileIdentity } from '../src/callers/caller.ts';
import { parseCgroup, type UnitFacts } from '../src/callers/cgroup.ts';
import type { Native } from '../src/unix/system-calls.ts';

/** What /proc says of one process. Null or absent where it can't be read: what can't be read doesn't match. */
export interface ProcessFacts {
  readonly exe: string | null;
  /** The running file, deleted or not. */
  readonly running: FileIdentity | null;
  readonly deleted: boolean;
  readonly units: UnitFacts;
}

export const NO_FACTS: ProcessFacts = {
  exe: null,
  running: null,
  deleted: false,
  units: { unit: null, userUnit: null, userManagerUid: null },
};

const ATTEMPTS = 4;

/** Facts of one program: read again where the process exec'd in between; null where it will not hold still. */
export function readFacts(pid: number, native: Native): ProcessFacts | null {
  const exeLink = `/proc/${pid}/exe`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const running = native.identify(exeLink);
    const exe = running === null ? null : attemptOrNull(() => readlinkSync(exeLink));
    const cgroup = attemptOrNull(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    const after = native.identify(exeLink);
    if (sameFile(running, after)) {
      const units = cgroup === null ? NO_FACTS.units : parseCgroup(cgroup);
      return { exe, running, deleted: exe === null || exe.endsWith(' (deleted)'), units };
    }
  }
  return null;
}

/** True for a process that runs nothing (any more), as against one whose program may not be seen. */
export function hasNoProgram(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return false;
  } catch (error) {
    return ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** One process, held by its open /proc/PID/stat: for kernels without pidfds. */
export interface ProcessHandle {
  readonly stat: number;
  /** In clock ticks since boot. */
  readonly startTime: string;
}

/** Null where the process is gone or hidden. The descriptor is the caller's to close. */
export function openProcess(pid: number): ProcessHandle | null {
  const stat = attemptOrNull(() => openSync(`/proc/${pid}/stat`, 'r'));
  if (stat === null) return null;
  const startTime = readStartTime(stat);
  if (startTime !== null) return { stat, startTime };
  closeSync(stat);
  return null;
}

/**
 * An open /proc file stays with its process and fails once that is reaped, whoever has the number then. Start
 * times alone would not do: they are counted in hundredths of a second.
 */
export function stillRuns(handle: ProcessHandle): boolean {
  return readStartTime(handle.stat) === handle.startTime;
}

/** Null for a process that has been reaped, or has exited and waits for it. */
function readStartTime(stat: number): string | null {
  const buffer = Buffer.alloc(1_024);
  const length = attemptOrNull(() => readSync(stat, buffer, 0, buffer.length, 0)) ?? 0;
  const text = buffer.toString('latin1', 0, length);
  // The second field is the program's name in brackets, and the program chooses it: count from the last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

let procIsOurs: boolean | null = null;

/** False where /proc belongs to another pid namespace: its numbers are other processes there. */
export function procShowsOurPids(): boolean {
  procIsOurs ??= attemptOrNull(() => readlinkSync('/proc/self')) === String(process.pid);
  return procIsOurs;
}

export function sameFile(a: FileIdentity | null, b: FileIdentity | null): boolean {
  return a === null || b === null ? a === b : a.dev === b.dev && a.ino === b.ino;
}

function attemptOrNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
