import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { INVENTORY_FILE, ROUTES_FILE, WARDEN_FILE } from './read-folder.ts';

/** How long after a change the clock of the file system may be too coarse to tell a second one from it. */
const RACY_MS = 2_000;

export interface Fingerprint {
  /** Real paths, inodes, sizes and times of folder and files: equal while nothing was touched. */
  readonly text: string;
  /** Something changed so lately that another change might not show: look again. */
  readonly racy: boolean;
}

/** Looks at a config folder without reading it. Never throws: what can't be seen is part of the answer. */
export async function fingerprint(dir: string, now: number): Promise<Fingerprint> {
  const places = [dir, ...[WARDEN_FILE, INVENTORY_FILE, ROUTES_FILE].map((file) => join(dir, file))];
  const looks = await Promise.all(places.map((path) => look(path, now)));
  return { text: looks.map((seen) => seen.text).join('\n'), racy: looks.some((seen) => seen.racy) };
}

async function look(path: string, now: number): Promise<Fingerprint> {
  try {
    const real = await realpath(path);
    const stats = await stat(real, { bigint: true });
    // A folder's times move when a file comes or goes, so that one that is missing twice was not missing all along.
    const state = [real, stats.dev, stats.ino, stats.mode, stats.uid, stats.mtimeNs, stats.ctimeNs];
    return { text: [...state, stats.isDirectory() ? '' : stats.size].join(' '), racy: isRacy(stats, now) };
  } catch (thrown) {
    return { text: thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable', racy: false };
  }
}

function isRacy(stats: BigIntStats, now: number): boolean {
  return Math.abs(now - Number(stats.ctimeMs)) < RACY_MS;
}
