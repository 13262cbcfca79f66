import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { usageError } from './args.ts';
import { writeAtomically } from './atomic-file.ts';
import { whyFile } from './bounded-file.ts';

export interface NewFile {
  readonly name: string;
  readonly bytes: string | Buffer;
  readonly mode: number;
  /** For the person who reads the list. */
  readonly what: string;
}

/**
 * Puts files into a folder: all of them or none, and none over anything that is there. A new folder is 0700.
 * @throws WardenError invalid_request naming what is there already
 */
export function writeNewFolder(dir: string, files: readonly NewFile[]): void {
  const there = files.map(({ name }) => join(dir, name)).filter((path) => existsSync(path));
  if (there.length > 0) {
    throw usageError(
      `nothing is overwritten, and ${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already`,
      'name another folder with --config',
    );
  }
  if (existsSync(dir)) fillFolder(dir, files);
  else makeFolder(dir, files);
}

function makeFolder(dir: string, files: readonly NewFile[]): void {
  let temporary: string | null = null;
  try {
    mkdirSync(dirname(dir), { recursive: true });
    temporary = mkdtempSync(join(dirname(dir), `.${basename(dir)}-`));
    for (const { name, bytes, mode } of files) {
      writeFileSync(join(temporary, name), bytes, { mode, flag: 'wx' });
      chmodSync(join(temporary, name), mode);
    }
    renameSync(temporary, dir);
    temporary = null;
  } catch (error) {
    throw usageError(`cannot write ${dir}: ${whyFile(error)}`, 'name another folder with --config');
  } finally {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  }
}

function fillFolder(dir: string, files: readonly NewFile[]): void {
  const written: string[] = [];
  try {
    for (const { name, bytes, mode } of files) {
      const path = join(dir, name);
      writeAtomically({ path, bytes, mode, replace: false, durable: true });
      written.push(path);
    }
  } catch (error) {
    for (const path of written) unlinkSync(path);
    throw error;
  }
}
