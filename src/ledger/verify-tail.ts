import { inspectLine } from './inspect-line.ts';
import { type Line, readLinesBackward } from './lines.ts';
import { openFiles } from './open-files.ts';

/** The end of a ledger, as it lies on the disk. */
export interface Tail {
  /** Records looked at, and the number of the last one; null where there is none. */
  readonly records: number;
  readonly lastSeq: number | null;
  /** The first thing wrong, from the end; null where all hold. */
  readonly fault: string | null;
}

/**
 * Holds the last records of the current file against their hashes and each other: quick, however long the ledger is.
 * It sees no cut and no older break; `verifyLedger` does. A line that is being written is left out.
 */
export async function verifyTail(dir: string, limit = 1_000): Promise<Tail> {
  const { current } = await openFiles(dir);
  if (current === null) return { records: 0, lastSeq: null, fault: 'signatures.log is missing' };
  try {
    let records = 0;
    let lastSeq: number | null = null;
    let after: { seq: number; prev: string } | null = null;
    for await (const lines of readLinesBackward(current, (await current.stat()).size)) {
      for (const line of lines.filter(({ ended }: Line) => ended)) {
        if (records >= limit) return { records, lastSeq, fault: null };
        const read = inspectLine(line.bytes);
        const fault = typeof read === 'string' ? read : faultOf(read, after);
        if (typeof read === 'string' || fault !== null) return { records, lastSeq, fault };
        records += 1;
        lastSeq ??= read.record.seq;
        after = read.record;
      }
    }
    return { records, lastSeq, fault: null };
  } finally {
    await current.close();
  }
}

function faultOf(
  { record, computed }: Exclude<ReturnType<typeof inspectLine>, string>,
  after: { seq: number; prev: string } | null,
): string | null {
  if (computed !== record.hash) return `the hash of record ${record.seq} does not fit its bytes`;
  if (after === null) return null;
  if (record.seq !== after.seq - 1) return `record ${after.seq} stands behind record ${record.seq}`;
  return after.prev === record.hash ? null : `record ${after.seq} does not follow record ${record.seq}`;
}
