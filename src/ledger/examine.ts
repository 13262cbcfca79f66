import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { broken, rolledBack } from './broken.ts';
import type { ChainPosition } from './chain.ts';
import { CURRENT_LOG, HEAD_FILE, identityOf, isSameFile, type LedgerFile } from './files.ts';
import type { Head } from './head.ts';
import type { LedgerKey } from './key.ts';
import { Scan } from './scan.ts';
import type { StateFolder } from './state-folder.ts';

/** What the start found: where to go on, and what has to be tidied before. */
export interface Examined {
  readonly key: LedgerKey;
  readonly head: Head;
  readonly headSlot: 0 | 1;
  readonly position: ChainPosition;
  readonly serial: bigint;
  /** Where the next line goes in the current file; 0 where the file is missing. */
  readonly offset: number;
  /** First record of the current file; null while it has none. */
  readonly firstSeq: number | null;
  /** Bytes behind the last whole record, of a write that never finished. */
  readonly tornBytes: number;
  /** One of the two head slots is damaged as a torn write leaves it. */
  readonly headTorn: boolean;
}

/**
 * Holds the state folder against its signed head and its anchor before a daemon writes to it. Reads from the last
 * signed checkpoint on: what is older is covered by that signature, and `verify` reads it all. Null where no ledger
 * was ever begun here.
 * @throws WardenError state_rolled_back, ledger_broken
 */
export async function examine(state: StateFolder): Promise<Examined | null> {
  if (state.key === null) {
    if (state.hasRecords) throw broken('the ledger key is missing, but the ledger holds records');
    refuseForeignAnchor(state, null);
    return null;
  }
  const reading = state.headReading;
  if (reading === null) throw broken(`${HEAD_FILE} is missing, but the ledger was begun`);
  if (reading.head === null) throw broken(`${HEAD_FILE} bears no valid signature of the ledger's key`);
  const { head } = reading;
  refuseForeignAnchor(state, head);
  const scan = new Scan(state, state.key, head);
  await scan.run();
  const { last } = scan;
  if (head.closed && (last.seq > head.seq || scan.tornBytes > 0)) {
    throw broken(`signatures.log goes on after record ${head.seq}, with which the ledger was closed`);
  }
  if (reading.damaged && last.seq === head.seq) {
    // A torn write of the head follows a record that the other slot does not have yet.
    throw broken(`one of the two heads in ${HEAD_FILE} is damaged, and no unfinished write explains it`);
  }
  await refuseOtherFile(state, head);
  return {
    key: state.key,
    head,
    headSlot: reading.slot,
    position: { seq: last.seq, hash: Buffer.from(last.hash, 'hex'), sinceCheckpoint: scan.sinceCheckpoint },
    serial: scan.serial,
    offset: scan.offset,
    firstSeq: scan.offset > 0 ? (state.files.at(-1)?.firstSeq ?? null) : null,
    tornBytes: scan.tornBytes,
    headTorn: reading.damaged,
  };
}

/** An anchor that another ledger of this same folder left, or this ledger at a later time. */
function refuseForeignAnchor(state: StateFolder, head: Head | null): void {
  const { anchor } = state;
  if (anchor === null || anchor.head.seq === 0) return;
  if (anchor.head.id !== head?.id && anchor.head.folder === state.folder) {
    throw rolledBack(
      `the anchor ${anchor.path} says that this state folder held record ${anchor.head.seq} of another ledger: the folder was replaced`,
    );
  }
}

/** The record of the head must stand in the very file that the head was written for. */
async function refuseOtherFile(state: StateFolder, head: Head): Promise<void> {
  let holding: LedgerFile | undefined;
  for (const file of state.files) {
    if (!file.firstSeq) continue;
    if (holding === undefined || file.firstSeq <= head.seq) holding = file;
  }
  holding ??= state.files.at(-1);
  if (holding === undefined) {
    if (head.seq > 0) throw rolledBack(`${CURRENT_LOG} is missing`);
    return;
  }
  const identity = identityOf(await fs.stat(join(state.dir, holding.name), { bigint: true }));
  if (!isSameFile(identity, head.file)) {
    throw rolledBack(
      `${holding.name} is not the file that the signed head was written for: the state folder was moved, or put back from a copy`,
    );
  }
}
