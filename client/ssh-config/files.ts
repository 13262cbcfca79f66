import { lstatSync, mkdirSync, realpathSync, type Stats, unlinkSync } from 'node:fs';
import { usageError } from '../args.ts';
import { writeAtomically } from '../atomic-file.ts';
import { readBounded, whyFile } from '../bounded-file.ts';

const MAX_BYTES = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

/** A file as it is: its bytes as latin1, and where it really lies. */
export interface Present {
  readonly path: string;
  readonly text: string | null;
  readonly mode: number;
}

/**
 * Reads a file of ~/.ssh that may be a link into someone's dotfiles: it is the target that is changed.
 * @throws WardenError invalid_request where it is no file, not ours, or open to others
 */
export function readOwn(path: string, uid: number): Present {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { path, text: null, mode: 0o600 };
  const real = resolve(path);
  const stats = lstatSync(real);
  check(real, stats, uid);
  return {
    path: real,
    text: readBounded(real, 'the ssh config', MAX_BYTES).toString('latin1'),
    mode: stats.mode & 0o777,
  };
}

/** Makes the file say `text`; null removes it. False where it says so already. */
export function putOwn({ path, text: before, mode }: Present, text: string | null): boolean {
  if (text === before) return false;
  if (text === null) unlinkSync(path);
  else writeAtomically({ path, bytes: Buffer.from(text, 'latin1'), mode, replace: true, durable: false });
  return true;
}

/** ~/.ssh, made 0700 where it is missing. @throws WardenError invalid_request where others can change it */
export function ensureSshFolder(path: string, uid: number): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw usageError(`cannot make ${path}: ${whyFile(error)}`, 'make it yourself, with mode 0700');
  }
  const stats = lstatSync(resolve(path));
  if (!stats.isDirectory()) throw usageError(`${path} is no folder`, 'move it away');
  checkOwner(path, stats, uid);
}

function check(path: string, stats: Stats, uid: number): void {
  if (!stats.isFile()) throw usageError(`${path} is no file`, 'move it away');
  checkOwner(path, stats, uid);
}

function checkOwner(path: string, { uid: owner, mode }: Stats, uid: number): void {
  if (owner !== uid) throw usageError(`${path} belongs to uid ${owner}`, 'ssh takes no config of anybody else');
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    throw usageError(`${path} can be changed by other users, and ssh refuses it`, `chmod go-w ${path}`);
  }
}

function resolve(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw usageError(`${path} leads nowhere: ${whyFile(error)}`, 'mend or remove the link');
  }
}
