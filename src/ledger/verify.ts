import { createPublicKey, type KeyObject } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { recordsNamed } from './broken.ts';
import { ChainCheck, type Finding } from './chain-check.ts';
import { CURRENT_LOG, type FileIdentity, HEAD_FILE, identityOf, isSameFile, type LedgerFile } from './files.ts';
import { folderTag, type Head, type HeadReading, readSlots, verifyHead } from './head.ts';
import { readHeadBytes } from './head-file.ts';
import { loadPublicKey } from './key.ts';
import { GENESIS } from './line.ts';
import { readLines } from './lines.ts';
import { openFiles } from './open-files.ts';
import { recordedSerial } from './serial.ts';

export interface VerifyOptions {
  /** PEM or key object; absent: the one that lies in the state folder. */
  readonly publicKey?: KeyObject | string;
  readonly anchorFile?: string;
}

export interface VerifyResult {
  /** No finding. Notes may be there: recoveries, records behind the last signed head. */
  readonly conforms: boolean;
  readonly records: number;
  readonly firstSeq: number | null;
  readonly lastSeq: number | null;
  readonly findings: readonly Finding[];
  readonly notes: readonly Finding[];
  /** Findings beyond the thousand that are listed. */
  readonly more: number;
}

/** The end of what can be read, for who goes on from there. */
export interface LedgerEnd {
  readonly head: Head | null;
  readonly anchor: Head | null;
  readonly highestSeq: number;
  readonly serial: bigint;
  /** Of the last line that is whole, hex. */
  readonly lastHash: string;
  /** Behind that line in the current file; 0 where it stands in another. */
  readonly offset: number;
  /** Of the current file; null while no line of it is whole. */
  readonly firstSeqOfCurrent: number | null;
  /** Of the findings that stand at a line. */
  readonly sentences: readonly string[];
}

/** Reads the whole ledger, live or not, and names every break by file and line. Memory does not grow with it. */
export async function verifyLedger(dir: string, options: VerifyOptions = {}): Promise<VerifyResult> {
  return (await auditLedger(dir, options)).result;
}

export async function auditLedger(
  dir: string,
  options: VerifyOptions,
): Promise<{ result: VerifyResult; end: LedgerEnd }> {
  const given = options.publicKey;
  const publicKey =
    given === undefined ? await loadPublicKey(dir) : typeof given === 'string' ? createPublicKey(given) : given;
  const audit = new Audit(dir, publicKey, options.anchorFile ?? null);
  return audit.run();
}

class Audit {
  readonly #dir: string;
  readonly #publicKey: KeyObject | null;
  readonly #anchorPath: string | null;
  readonly #check: ChainCheck;
  readonly #findings: Finding[] = [];
  readonly #places: { firstSeq: number; identity: FileIdentity; name: string }[] = [];
  #headHash: string | null = null;
  #serial = 0n;
  #lastHash = GENESIS;
  #lastSeq: number | null = null;
  #offset = 0;
  #firstSeqOfCurrent: number | null = null;
  #cut: Finding | null = null;

  constructor(dir: string, publicKey: KeyObject | null, anchorPath: string | null) {
    this.#dir = dir;
    this.#publicKey = publicKey;
    this.#anchorPath = anchorPath;
    this.#check = new ChainCheck(publicKey);
  }

  async run(): Promise<{ result: VerifyResult; end: LedgerEnd }> {
    // The head first: a ledger that is being written only grows behind it.
    const reading = this.#readHead();
    const anchor = this.#readAnchor();
    const { list, current } = await openFiles(this.#dir);
    try {
      for (const file of list) {
        await this.#file(file, file.name === CURRENT_LOG ? current : null, reading?.head ?? null);
      }
    } finally {
      await current?.close();
    }
    this.#judgeHead(reading);
    this.#judgeAnchor(anchor, reading?.head ?? null);
    return { result: this.#result(), end: this.#end(reading?.head ?? null, anchor) };
  }

  #readHead(): HeadReading | null {
    if (this.#publicKey === null) return null;
    let reading: HeadReading | null = null;
    // A live writer may be at one of the slots: a damaged one is looked at again.
    for (let turn = 0; turn < 5; turn += 1) {
      const content = readHeadBytes(join(this.#dir, HEAD_FILE));
      if (content === null) return null;
      reading = readSlots(content, this.#publicKey);
      if (!reading.damaged) break;
    }
    return reading;
  }

  #readAnchor(): Head | null {
    if (this.#anchorPath === null || this.#publicKey === null) return null;
    const content = readHeadBytes(this.#anchorPath);
    return content === null ? null : verifyHead(content, this.#publicKey);
  }

  async #file(file: LedgerFile, current: fs.FileHandle | null, head: Head | null): Promise<void> {
    const handle = current ?? (await fs.open(file.path));
    try {
      this.#check.enter(file.name, file.firstSeq);
      const isCurrent = file.name === CURRENT_LOG;
      if (isCurrent) this.#offset = 0;
      let first: number | null = null;
      let number = 0;
      for await (const lines of readLines(handle)) {
        for (const line of lines) {
          number += 1;
          if (!line.ended && isCurrent) {
            this.#noteCut(file.name, number, head);
            continue;
          }
          const record = this.#check.step(line.bytes, line.ended);
          if (record === null) continue;
          first ??= record.seq;
          this.#lastSeq = record.seq;
          this.#lastHash = record.hash;
          if (isCurrent) this.#offset = line.offset + line.bytes.length + 1;
          if (record.seq === head?.seq) this.#headHash = record.hash;
          const serial = recordedSerial(record);
          if (serial > this.#serial) this.#serial = serial;
        }
      }
      if (first === null) return;
      if (isCurrent) this.#firstSeqOfCurrent = first;
      else if (first !== file.firstSeq)
        this.#find(file.name, null, first, `the file begins with record ${first}, not as its name says`);
      this.#places.push({
        firstSeq: first,
        identity: identityOf(await handle.stat({ bigint: true })),
        name: file.name,
      });
    } finally {
      if (current === null) await handle.close();
    }
  }

  /** A line without an end: harmless behind the head (being written, or never finished), else a cut. */
  #noteCut(file: string, line: number, head: Head | null): void {
    this.#cut = { file, line, seq: null, what: 'the line has no end' };
    if (head !== null && this.#check.highestSeq >= head.seq) {
      this.#check.notes.push({ ...this.#cut, what: 'the last line is being written, or its write never finished' });
      this.#cut = null;
    }
  }

  #judgeHead(reading: HeadReading | null): void {
    if (this.#cut !== null) this.#findings.push(this.#cut);
    if (this.#publicKey === null) {
      if (this.#check.records > 0)
        this.#find(HEAD_FILE, null, null, "the ledger's key is missing: no signature can be checked");
      return;
    }
    if (reading === null) {
      this.#find(HEAD_FILE, null, null, 'the signed head is missing');
      return;
    }
    const { head } = reading;
    if (head === null) {
      this.#find(HEAD_FILE, null, null, "the head bears no valid signature of the ledger's key");
      return;
    }
    const last = this.#check.highestSeq;
    if (reading.damaged && last <= head.seq) this.#find(HEAD_FILE, null, null, 'one of the two heads is damaged');
    if (last < head.seq) {
      const gap = recordsNamed(last + 1, head.seq);
      this.#find(
        CURRENT_LOG,
        this.#cut?.line ?? null,
        head.seq,
        `the tail is cut: the signed head says record ${head.seq}, the ledger ends with record ${last} (${gap} missing)`,
      );
      return;
    }
    if (head.seq > 0 && this.#headHash !== null && this.#headHash !== head.hash) {
      this.#find(CURRENT_LOG, null, head.seq, `record ${head.seq} is not the one that the head was signed over`);
    }
    if (last > head.seq) this.#behindHead(head, last);
    this.#judgeIdentity(head);
  }

  #behindHead(head: Head, last: number): void {
    const which = recordsNamed(head.seq + 1, last);
    if (head.closed)
      this.#find(CURRENT_LOG, null, last, `the ledger was closed with record ${head.seq}, but goes on: ${which}`);
    else this.#check.notes.push({ file: CURRENT_LOG, line: null, seq: last, what: `${which}: behind the signed head` });
  }

  #judgeIdentity(head: Head): void {
    const holding = this.#places.filter(({ firstSeq }) => firstSeq <= head.seq).at(-1) ?? this.#places[0];
    if (holding === undefined || isSameFile(holding.identity, head.file)) return;
    this.#find(
      holding.name,
      null,
      null,
      'this is not the file that the head was signed for: the state folder was moved, or put back from a copy',
    );
  }

  #judgeAnchor(anchor: Head | null, head: Head | null): void {
    if (anchor === null || head === null) return;
    if (anchor.id !== head.id) {
      if (anchor.folder === folderTag(this.#dir) && anchor.seq > 0) {
        this.#find(HEAD_FILE, null, null, 'the anchor is of another ledger in this same folder');
      }
    } else if (anchor.seq > this.#check.highestSeq) {
      this.#find(
        HEAD_FILE,
        null,
        anchor.seq,
        `the anchor says record ${anchor.seq}: an older state folder was put back`,
      );
    }
  }

  #find(file: string, line: number | null, seq: number | null, what: string): void {
    this.#findings.push({ file, line, seq, what });
  }

  #result(): VerifyResult {
    const { breaks, accepted, notes, records, firstSeq, more } = this.#check;
    const findings: Finding[] = [];
    for (const { sentence, ...finding } of breaks) {
      if (accepted.has(sentence)) notes.push({ ...finding, what: `${finding.what} (accepted)` });
      else findings.push(finding);
    }
    findings.push(...this.#findings);
    return {
      conforms: findings.length === 0 && more === 0,
      records,
      firstSeq,
      lastSeq: this.#lastSeq,
      findings,
      notes,
      more,
    };
  }

  #end(head: Head | null, anchor: Head | null): LedgerEnd {
    return {
      head,
      anchor,
      highestSeq: this.#check.highestSeq,
      serial: this.#serial,
      lastHash: this.#lastHash,
      offset: this.#offset,
      firstSeqOfCurrent: this.#firstSeqOfCurrent,
      sentences: this.#check.breaks.map(({ sentence }) => sentence),
    };
  }
}
