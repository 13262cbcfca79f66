import { createHash } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { WardenError } from '../../src/kernel/errors.ts';
import { writeAtomically } from '../atomic-file.ts';

/** What an installation made, so that it can be undone, that and nothing else. Beside the units, root's as they are. */
export interface InstallRecord {
  readonly version: 1;
  /** True where the user `warden` was not there before, and the same of the group. */
  readonly account: boolean;
  readonly group: boolean;
  /** Folders that were not there before, outermost first. */
  readonly folders: readonly string[];
  readonly units: readonly RecordedFile[];
  readonly config: readonly RecordedFile[];
  /** The state folder, where it was not there before. */
  readonly state: string | null;
  /** Units that were enabled or started. */
  readonly enabled: readonly string[];
}

export interface RecordedFile {
  readonly path: string;
  readonly sha256: string;
}

export const EMPTY_RECORD: InstallRecord = {
  version: 1,
  account: false,
  group: false,
  folders: [],
  units: [],
  config: [],
  state: null,
  enabled: [],
};

export function digestOf(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws WardenError invalid_request where the record is there and can't be understood */
export function readRecord(path: string): InstallRecord | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<InstallRecord>;
    if (value.version === 1) return { ...EMPTY_RECORD, ...value };
  } catch {
    // Told below.
  }
  throw new WardenError('invalid_request', `the record of the installation, ${path}, cannot be understood`, {
    hint: 'use the version of warden that wrote it',
  });
}

/** Written anew after each step: an installation that ended half way can be undone. */
export function writeRecord(path: string, record: InstallRecord): void {
  if (isEmpty(record)) {
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return;
  }
  const bytes = `${JSON.stringify(record, null, 2)}\n`;
  writeAtomically({ path, bytes, mode: 0o644, replace: true, durable: true });
}

/** Whether nothing is left to undo. Folders that were kept, since somebody put something into them, are theirs. */
export function isEmpty({ account, group, units, config, state, enabled }: InstallRecord): boolean {
  return !account && !group && state === null && [units, config, enabled].every((list) => list.length === 0);
}
