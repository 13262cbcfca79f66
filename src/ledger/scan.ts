import { promises as fs } from 'node:fs';
import { broken, rolledBack } from './broken.ts';
import { CURRENT_LOG, HEAD_FILE, type LedgerFile } from './files.ts';
import type { Head } from './head.ts';
import { type InspectedLine, inspectLine } from './inspect-line.ts';
import { isSignedBy, type LedgerKey } from './key.ts';
import { GENESIS } from './line.ts';
import { type Line, lineNumberAt, readLines, readLinesBackward } from './lines.ts';
import { recordedSerial } from './serial.ts';
import type { StateFolder } from './state-folder.ts';

const CHECKPOINT = Buffer.from(',"kind":"checkpoint","outcome":"ok"');
const RECOVERED = Buffer.from(',"kind":"recovered","outcome":"ok"');

/** Walks the chain from the last checkpoint before the head to the end. */
export class Scan {
  last: { seq: number; hash: string } = { seq: 0, hash: GENESIS };
  serial: bigint;
  offset = 0;
  tornBytes = 0;
  sinceCheckpoint = 0;
  readonly #state: StateFolder;
  readonly #key: LedgerKey;
  readonly #head: Head;
  /** Records whose hash was signed: the head's and the anchor's. */
  readonly #signed = new Map<number, { hash: string; by: string }>();
  #trusted = false;

  constructor(state: StateFolder, key: LedgerKey, head: Head) {
    this.#state = state;
    this.#key = key;
    this.#head = head;
    this.serial = head.serial;
    if (head.seq > 0) this.#signed.set(head.seq, { hash: head.hash, by: HEAD_FILE });
    const { anchor } = state;
    if (anchor?.signed === true && anchor.head.id === head.id && anchor.head.seq > 0) {
      const { seq, hash } = anchor.head;
      if (seq === head.seq && hash !== head.hash) {
        throw rolledBack(`the anchor ${anchor.path} knows another record ${seq} than ${HEAD_FILE} does`);
      }
      this.#signed.set(seq, { hash, by: `the anchor ${anchor.path}` });
      if (anchor.head.serial > this.serial) this.serial = anchor.head.serial;
    }
  }

  async run(): Promise<void> {
    const { files } = this.#state;
    const from = this.#fileOfHead();
    for (let index = from; index < files.length; index += 1) {
      const file = files[index];
      if (file !== undefined) await this.#file(file, index === from);
    }
    if (files.at(-1)?.name !== CURRENT_LOG) this.offset = 0;
    for (const [seq, { by }] of [...this.#signed].sort(([a], [b]) => b - a)) {
      if (seq <= this.last.seq) continue;
      const missing = seq - this.last.seq;
      const sentence = `the ledger ends with record ${this.last.seq}, but ${by} says record ${seq}`;
      throw rolledBack(`${sentence}: ${missing} ${missing === 1 ? 'record is' : 'records are'} missing`);
    }
  }

  #fileOfHead(): number {
    const { files } = this.#state;
    for (let index = files.length - 1; index > 0; index -= 1) {
      const first = files[index]?.firstSeq ?? null;
      if (first !== null && first > 0 && first <= Math.max(1, this.#head.seq)) return index;
    }
    return 0;
  }

  async #file(file: LedgerFile, isFirst: boolean): Promise<void> {
    const handle = await fs.open(file.path);
    try {
      let start = 0;
      if (isFirst) start = await this.#start(handle, file);
      this.offset = start;
      for await (const lines of readLines(handle, start)) {
        for (const line of lines) {
          const fault = this.#line(line);
          if (fault !== null) {
            await this.#refuseUnlessTorn(handle, file, line, fault);
            return;
          }
        }
      }
    } finally {
      await handle.close();
    }
  }

  /** Where to begin in the file that holds the head's record: at its last signed record that the head covers. */
  async #start(handle: fs.FileHandle, file: LedgerFile): Promise<number> {
    const { size } = await handle.stat();
    for await (const lines of readLinesBackward(handle, size)) {
      for (const line of lines) {
        if (!line.bytes.includes(CHECKPOINT) && !line.bytes.includes(RECOVERED)) continue;
        const read = inspectLine(line.bytes);
        if (typeof read === 'string' || read.record.seq > this.#head.seq) continue;
        this.#trust(read.record.seq - 1, read.record.prev);
        return line.offset;
      }
    }
    // The first record of all follows nothing; that of a later file is held against its signed successors alone,
    // since the files before it may have been archived.
    const first = file.firstSeq ?? 0;
    if (first > 1) this.#trusted = true;
    this.last = first > 1 ? { seq: first - 1, hash: '' } : this.last;
    return 0;
  }

  #trust(seq: number, hash: string): void {
    this.last = { seq, hash };
  }

  /** Takes one line into the chain, or says why it can't be the next. */
  #line(line: Line): string | null {
    if (!line.ended) return 'the line has no end';
    const read = inspectLine(line.bytes);
    if (typeof read === 'string') return read;
    const fault = this.#follow(read);
    if (fault !== null) return fault;
    const { record } = read;
    this.last = { seq: record.seq, hash: record.hash };
    this.offset = line.offset + line.bytes.length + 1;
    this.sinceCheckpoint = record.kind === 'checkpoint' ? 0 : this.sinceCheckpoint + 1;
    const serial = recordedSerial(record);
    if (serial > this.serial) this.serial = serial;
    return null;
  }

  #follow(read: InspectedLine): string | null {
    const { record } = read;
    if (read.computed !== record.hash) return "the record's hash does not fit its bytes";
    const isRecovered = record.kind === 'recovered';
    if (record.seq !== this.last.seq + 1 && !(isRecovered && record.seq > this.last.seq)) {
      return `record ${record.seq} stands where record ${this.last.seq + 1} belongs`;
    }
    if (record.prev !== this.last.hash && !this.#trusted) return 'the record does not follow the one before it';
    this.#trusted = false;
    if (read.signed !== null) {
      if (record.signature === undefined || !isSignedBy(this.#key.publicKey, read.signed, record.signature)) {
        return `the ${record.kind} is not signed by the ledger's key`;
      }
    } else if (isRecovered || record.kind === 'checkpoint') return `the ${record.kind} is not signed`;
    const signed = this.#signed.get(record.seq);
    if (signed !== undefined && signed.hash !== record.hash) {
      throw rolledBack(`record ${record.seq} is not the one that ${signed.by} was signed over`);
    }
    return null;
  }

  /** A write that never finished leaves, behind the head, bytes that no whole record follows. All else is a break. */
  async #refuseUnlessTorn(handle: fs.FileHandle, file: LedgerFile, line: Line, fault: string): Promise<void> {
    const number = await lineNumberAt(handle, line.offset);
    const where = `${file.name} line ${number}`;
    let required = 0;
    for (const seq of this.#signed.keys()) required = Math.max(required, seq);
    if (this.last.seq < required) throw broken(`${where}: ${fault} (${HEAD_FILE} says record ${required})`);
    if (file.name !== CURRENT_LOG) throw broken(`${where}: ${fault}`);
    let end = line.offset;
    for await (const rest of readLines(handle, line.offset)) {
      for (const later of rest) {
        end = later.offset + later.bytes.length;
        if (later.ended && isWhole(later.bytes)) throw broken(`${where}: ${fault}`);
      }
    }
    this.offset = line.offset;
    this.tornBytes = Math.max(end, (await handle.stat()).size) - line.offset;
  }
}

function isWhole(bytes: Buffer): boolean {
  const read = inspectLine(bytes);
  return typeof read !== 'string' && read.computed === read.record.hash;
}
