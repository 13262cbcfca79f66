import { readFileSync, readlinkSync } from 'node:fs';
import type { Confinement, ConfinementReader } from '../src/access/confinement.ts';

const NAMESPACES = ['mnt', 'net', 'pid', 'user', 'cgroup', 'ipc', 'uts'];

/** Synchronous: kernel memory, some tens of microseconds, read where a command is to be started and nowhere else. */
export const procConfinement: ConfinementReader = {
  own: () => read('self') ?? unreadable(),
  init: () => read('1'),
  of: (pid) => (pid > 0 ? read(String(pid)) : null),
};

/**
 * Where wardend-spawner starts the commands: outside the sandbox that the daemon itself is in, so that a caller must
 * not be held by anything that the first process is not held by. Where that one may not be looked at (some
 * containers), the daemon's own stand for the spawner's: beside each other, without a sandbox, they have the same.
 */
export const spawnedConfinement: ConfinementReader = {
  ...procConfinement,
  own() {
    const first = read('1');
    return first !== null && Object.values(first.namespaces).every((name) => name !== null)
      ? first
      : procConfinement.own();
  },
};

function read(pid: string): Confinement | null {
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (status === null) return null;
  const field = (name: string): string | null => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? null;
  const seccomp = field('Seccomp');
  const bounding = field('CapBnd');
  return {
    namespaces: Object.fromEntries(
      NAMESPACES.map((name) => [name, attempt(() => readlinkSync(`/proc/${pid}/ns/${name}`))]),
    ),
    noNewPrivs: field('NoNewPrivs') === null ? null : field('NoNewPrivs') === '1',
    // A kernel without seccomp filters nobody.
    seccomp: seccomp === null ? 0 : Number(seccomp),
    capabilities: bounding === null ? null : BigInt(`0x${bounding}`),
    label: attempt(() => readFileSync(`/proc/${pid}/attr/current`, 'utf8').replace(/[\0\n].*$/s, '')) ?? '',
  };
}

function unreadable(): Confinement {
  return {
    namespaces: Object.fromEntries(NAMESPACES.map((name) => [name, null])),
    noNewPrivs: null,
    seccomp: null,
    capabilities: null,
    label: '',
  };
}

function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
