import { randomBytes } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { type Examined, examine } from './examine.ts';
import { HEAD_FILE, syncFolder } from './files.ts';
import { folderTag } from './head.ts';
import { HeadFile } from './head-file.ts';
import { createLedgerKey } from './key.ts';
import { GENESIS } from './line.ts';
import { LogFile, type LogIo } from './log-file.ts';
import { readStateFolder } from './state-folder.ts';
import { setTornBytesAside } from './torn-bytes.ts';
import type { WriterStart } from './writer.ts';

export interface Begun {
  readonly start: WriterStart;
  /** What was tidied, in words: goes into a `recovered` record. */
  readonly recovered: readonly string[];
}

/** Opens the ledger of a state folder for writing, or begins one where there is none. */
export async function begin(dir: string, anchorPath: string | null, io: LogIo): Promise<Begun> {
  const state = await readStateFolder(dir, anchorPath);
  const examined = await examine(state);
  return examined === null ? beginNew(dir, anchorPath, io) : goOn(dir, anchorPath, io, examined);
}

/** The key is saved last: where it is, the ledger was begun and a head must be there. */
async function beginNew(dir: string, anchorPath: string | null, io: LogIo): Promise<Begun> {
  await fs.rm(join(dir, HEAD_FILE), { force: true });
  const { key, save } = await createLedgerKey(dir);
  const log = await LogFile.open(dir, io, { offset: 0, firstSeq: null, lastHash: GENESIS });
  const heads = HeadFile.open(join(dir, HEAD_FILE), anchorPath, key, 1);
  const position = { seq: 0, hash: Buffer.alloc(32), sinceCheckpoint: 0 };
  const id = randomBytes(16).toString('hex');
  const folder = folderTag(dir);
  const file = log.identity;
  heads.write(heads.prepare({ id, turn: 1, seq: 0, hash: GENESIS, serial: 0n, file, folder, closed: false }));
  heads.sync();
  await syncFolder(dir);
  await save();
  return { start: { log, heads, key, id, folder, turn: 1, position, serial: 0n, lastFile: file }, recovered: [] };
}

async function goOn(dir: string, anchorPath: string | null, io: LogIo, found: Examined): Promise<Begun> {
  const { key, head, position, serial } = found;
  const recovered: string[] = [];
  if (found.tornBytes > 0) {
    const name = await setTornBytesAside(dir, found.offset, position.seq);
    recovered.push(`${found.tornBytes} bytes of a write that never finished were cut away and kept in ${name}`);
  }
  if (found.headTorn) recovered.push(`a head in ${HEAD_FILE} that was never finished was replaced`);
  const lastHash = position.hash.toString('hex');
  const log = await LogFile.open(dir, io, { offset: found.offset, firstSeq: found.firstSeq, lastHash });
  const heads = HeadFile.open(join(dir, HEAD_FILE), anchorPath, key, found.headSlot);
  const folder = folderTag(dir);
  // While the current file is empty the last record, and so the head, belong to the one before.
  const lastFile = found.offset > 0 || head.seq === 0 ? log.identity : head.file;
  const turn = head.turn + 1;
  heads.write(
    heads.prepare({
      id: head.id,
      turn,
      seq: position.seq,
      hash: lastHash,
      serial,
      file: lastFile,
      folder,
      closed: false,
    }),
  );
  heads.sync();
  return { start: { log, heads, key, id: head.id, folder, turn, position, serial, lastFile }, recovered };
}
