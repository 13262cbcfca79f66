import { type BigIntStats, constants, promises as fs } from 'node:fs';
import { dirname, join } from 'node:path';

export const CURRENT_LOG = 'signatures.log';
/** The next current file while a rotation is under way; always empty. */
export const NEXT_LOG = 'signatures.log.new';
export const HEAD_FILE = 'signatures.head';

const ROTATED = /^signatures-(\d{12,16})\.log$/;

/** One file of the ledger. `firstSeq` is null for the current one until its first line is read. */
export interface LedgerFile {
  readonly name: string;
  readonly path: string;
  readonly firstSeq: number | null;
}

/** A rotated file is named for its first record, so that names sort as records do. */
export function rotatedName(firstSeq: number): string {
  return `signatures-${String(firstSeq).padStart(12, '0')}.log`;
}

/** The rotated files in order, then the current one where it exists. */
export async function listLedgerFiles(dir: string): Promise<LedgerFile[]> {
  const names = await fs.readdir(dir);
  const files: LedgerFile[] = [];
  for (const name of names) {
    const match = ROTATED.exec(name);
    if (match !== null) files.push({ name, path: join(dir, name), firstSeq: Number(match[1]) });
  }
  files.sort((a, b) => Number(a.firstSeq) - Number(b.firstSeq));
  if (names.includes(CURRENT_LOG)) files.push({ name: CURRENT_LOG, path: join(dir, CURRENT_LOG), firstSeq: null });
  return files;
}

/**
 * Which file this is, as far as the file system can say. The device number is recorded but not compared: it may
 * change over a reboot, and a false alarm there would stop every release. Birth time 0 where it isn't kept.
 */
export interface FileIdentity {
  readonly dev: string;
  readonly ino: string;
  /** Nanoseconds since the epoch. */
  readonly born: string;
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return { dev: String(stats.dev), ino: String(stats.ino), born: String(stats.birthtimeNs) };
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.ino === b.ino && a.born === b.born;
}

export async function syncFolder(dir: string): Promise<void> {
  const handle = await fs.open(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes beside and renames over: the file is whole or not there. Durable when it resolves. */
export async function writeDurably(path: string, content: string | Buffer, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  await fs.rm(temporary, { force: true });
  const handle = await fs.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    // The daemon's umask keeps others out of what it makes; who may read this one is the caller's to say.
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, path);
  await syncFolder(dirname(path));
}

export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | null)?.code === 'ENOENT';
}
