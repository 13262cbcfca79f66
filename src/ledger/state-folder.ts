import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { broken } from './broken.ts';
import { CURRENT_LOG, HEAD_FILE, type LedgerFile, listLedgerFiles } from './files.ts';
import { decodeHead, folderTag, type Head, type HeadReading, readSlots, verifyHead } from './head.ts';
import { readHeadBytes } from './head-file.ts';
import { type LedgerKey, loadLedgerKey } from './key.ts';
import { readLines } from './lines.ts';

/** What lies in a state folder, read and not yet judged. */
export interface StateFolder {
  readonly dir: string;
  readonly folder: string;
  /** In order; `firstSeq` of the current one is null while it is empty, and 0 where no line of it is a record. */
  readonly files: readonly LedgerFile[];
  readonly key: LedgerKey | null;
  /** Null where there is no head file, or no key to read it with. */
  readonly headReading: HeadReading | null;
  readonly headFileExists: boolean;
  readonly anchor: Anchor | null;
  readonly hasRecords: boolean;
}

export interface Anchor {
  readonly path: string;
  readonly head: Head;
  /** Signed by this folder's key. Another ledger's anchor can't be checked, nor can a forged one. */
  readonly signed: boolean;
}

export async function readStateFolder(dir: string, anchorPath: string | null): Promise<StateFolder> {
  const folder = folderTag(dir);
  const listed = await listLedgerFiles(dir);
  const files: LedgerFile[] = [];
  for (const file of listed) {
    files.push(file.name === CURRENT_LOG ? { ...file, firstSeq: await firstSeqOf(file.path) } : file);
  }
  const key = await loadLedgerKey(dir);
  const content = readHeadBytes(join(dir, HEAD_FILE));
  return {
    dir,
    folder,
    files,
    key,
    headReading: content === null || key === null ? null : readSlots(content, key.publicKey),
    headFileExists: content !== null,
    anchor: anchorPath === null ? null : readAnchor(anchorPath, key),
    hasRecords: files.some((file) => file.firstSeq !== null),
  };
}

async function firstSeqOf(path: string): Promise<number | null> {
  const handle = await fs.open(path);
  try {
    let empty = true;
    for await (const lines of readLines(handle)) {
      empty = false;
      for (const line of lines) {
        const match = /^\{"v":1,"seq":(\d{1,16}),/.exec(line.bytes.toString('latin1', 0, 40));
        if (match !== null) return Number(match[1]);
      }
    }
    return empty ? null : 0;
  } finally {
    await handle.close();
  }
}

function readAnchor(path: string, key: LedgerKey | null): Anchor | null {
  let content: Buffer | null;
  try {
    content = readHeadBytes(path);
  } catch (cause) {
    throw broken(`the anchor ${path} can't be read`, cause);
  }
  const decoded = content === null ? null : decodeHead(content);
  if (content === null || decoded === null) return null;
  return { path, head: decoded.head, signed: key !== null && verifyHead(content, key.publicKey) !== null };
}
