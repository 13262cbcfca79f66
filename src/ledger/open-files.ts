import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_LOG, identityOf, isMissing, isSameFile, type LedgerFile, listLedgerFiles } from './files.ts';

/** The files of a ledger that may be rotated while they are read. */
export interface OpenFiles {
  readonly list: readonly LedgerFile[];
  /** Opened at once: a rotation gives its name to another file. Null where there is none. */
  readonly current: fs.FileHandle | null;
}

const TURNS = 10;

/** The current file is opened before the others are listed, so that a rotation in between is noticed, and done again. */
export async function openFiles(dir: string): Promise<OpenFiles> {
  for (let turn = 1; ; turn += 1) {
    const current = await openCurrent(dir);
    const list = await listLedgerFiles(dir);
    const isListed = list.at(-1)?.name === CURRENT_LOG;
    // A rotation leaves the name empty for a moment; a name that stays empty is a file that is not there.
    const isGone = current === null && !isListed && turn > 3;
    if (isGone || (current !== null && isListed && (await leadsTo(dir, current)))) return { list, current };
    await current?.close();
    if (turn >= TURNS) return { list: list.filter(({ name }) => name !== CURRENT_LOG), current: null };
  }
}

async function openCurrent(dir: string): Promise<fs.FileHandle | null> {
  try {
    return await fs.open(join(dir, CURRENT_LOG));
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

/** Whether the current file's name leads to this very file. */
export async function leadsTo(dir: string, handle: fs.FileHandle): Promise<boolean> {
  try {
    const named = await fs.stat(join(dir, CURRENT_LOG), { bigint: true });
    return isSameFile(identityOf(named), identityOf(await handle.stat({ bigint: true })));
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}
