import { readFileSync } from 'node:fs';

/** The number that the kernel shows for an id that has none in this user namespace. */
export interface IdMaps {
  /** Null where every id is mapped (no user namespace, as on most machines): then 65534 is really nobody. */
  readonly overflowUid: number | null;
  readonly overflowGid: number | null;
}

let read: IdMaps | null = null;

/** Of this process's own user namespace, which it can't change: read once. */
export function idMaps(): IdMaps {
  read ??= {
    overflowUid: isWhole('uid_map') ? null : overflow('overflowuid'),
    overflowGid: isWhole('gid_map') ? null : overflow('overflowgid'),
  };
  return read;
}

function isWhole(name: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync(`/proc/self/${name}`, 'utf8'));
}

function overflow(name: string): number {
  return Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));
}
