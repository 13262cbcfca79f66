import { hash, type KeyObject } from 'node:crypto';
import { recordsNamed } from './broken.ts';
import { type InspectedLine, inspectLine } from './inspect-line.ts';
import { fingerprintOf, isSignedBy } from './key.ts';
import { GENESIS, isSignedKind } from './line.ts';
import type { RecordedEntry } from './record.ts';

/** One thing that is not as the ledger wrote it, or that is worth knowing. */
export interface Finding {
  /** Name within the state folder. */
  readonly file: string;
  /** From 1; null where it concerns the file as a whole. */
  readonly line: number | null;
  readonly seq: number | null;
  readonly what: string;
}

/** Names the finding's line by what does not change when its file is rotated, and by its bytes. */
export interface Break extends Finding {
  readonly sentence: string;
}

const MAX_FINDINGS = 1_000;

/**
 * Walks records in file order and names each break once, at its own line, going on behind it. Pure: lines go in,
 * findings come out.
 */
export class ChainCheck {
  readonly breaks: Break[] = [];
  readonly notes: Finding[] = [];
  /** Sentences of breaks that a signed recovery accepted. */
  readonly accepted = new Set<string>();
  /** Findings beyond `MAX_FINDINGS`, which are only counted. */
  more = 0;
  records = 0;
  firstSeq: number | null = null;
  /** The highest number of any record whose hash fits. */
  highestSeq = 0;
  /** The number behind which nothing is missing up to here. */
  #expected: number | null = null;
  /** Hashes that the next record may name as its predecessor's; null where a damaged line leaves it open. */
  #prevs: Set<string> | null = new Set([GENESIS]);
  #physicalPrev = GENESIS;
  /** Damaged lines since the last good one: each may have been a record. */
  #damaged = 0;
  /** The last line jumped ahead: perhaps it is only out of its place. */
  #jump: { readonly from: number; readonly seq: number; readonly index: number } | null = null;
  readonly #misplaced = new Set<number>();
  readonly #publicKey: KeyObject | null;
  readonly #signer: string | null;
  #file = '';
  #fileFirst = 0;
  #line = 0;

  constructor(publicKey: KeyObject | null) {
    this.#publicKey = publicKey;
    this.#signer = publicKey === null ? null : fingerprintOf(publicKey);
  }

  /** A new file begins. `named` is the first record that its name promises, null for the current one. */
  enter(file: string, named: number | null): void {
    this.#file = file;
    this.#fileFirst = named ?? this.#expected ?? 1;
    this.#line = 0;
  }

  /** Takes the next line. Returns its record where the line is whole and its hash fits. */
  step(bytes: Buffer, ended = true): RecordedEntry | null {
    this.#line += 1;
    if (!ended) return this.#damage('the line has no end', null, bytes);
    const read = inspectLine(bytes);
    if (typeof read === 'string') return this.#damage(read, null, bytes);
    const { record } = read;
    if (read.computed !== record.hash)
      return this.#damage("the record's hash does not fit its bytes", record.seq, bytes);
    this.records += 1;
    this.firstSeq ??= record.seq;
    this.#place(read, bytes);
    this.#checkSignature(read, bytes);
    this.#physicalPrev = record.hash;
    if (record.seq > this.highestSeq) this.highestSeq = record.seq;
    return record;
  }

  #damage(what: string, seq: number | null, bytes: Buffer): null {
    this.#break(seq, what, bytes);
    this.#damaged += 1;
    this.#jump = null;
    return null;
  }

  #place(read: InspectedLine, bytes: Buffer): void {
    const { record } = read;
    const { seq } = record;
    const expected = this.#expected ?? 1;
    const jump = this.#jump;
    this.#jump = null;
    if (jump !== null && (seq === jump.from || seq === jump.from + 1)) {
      this.#rename(jump.index, `record ${jump.seq} stands where record ${jump.from} belongs`);
      this.#misplaced.add(jump.seq);
      if (seq === jump.from) {
        // Two neighbours swapped: what follows them follows the higher one.
        this.#break(seq, `record ${seq} stands behind record ${jump.seq}`, bytes);
        return;
      }
      this.#goOn(record);
      return;
    }
    if (seq === expected) {
      if (this.#prevs !== null && !this.#prevs.has(record.prev) && this.#damaged === 0) {
        this.#break(seq, `record ${seq} does not follow the record before it`, bytes);
      }
      this.#goOn(record);
      return;
    }
    if (seq > expected) {
      this.#ahead(read, expected, bytes);
      this.#goOn(record);
      return;
    }
    const isAgain = seq === expected - 1;
    this.#break(seq, `record ${seq} stands here ${isAgain ? 'a second time' : 'out of its place'}`, bytes);
    if (isAgain) this.#prevs?.add(record.hash);
  }

  #ahead(read: InspectedLine, expected: number, bytes: Buffer): void {
    const { seq, kind, prev } = read.record;
    const gap = recordsNamed(expected, seq - 1);
    if (seq - expected <= this.#damaged) return;
    if (kind === 'recovered' && prev === this.#physicalPrev && this.#isSigned(read)) {
      this.#note(seq, `${gap} ${expected === seq - 1 ? 'is' : 'are'} missing, as this record accepts`);
      return;
    }
    if (expected === seq - 1 && this.#misplaced.has(expected)) return;
    if (this.records === 1) {
      this.#break(
        seq,
        `${gap} ${expected === seq - 1 ? 'is' : 'are'} missing: the ledger begins with record ${seq}`,
        bytes,
      );
      return;
    }
    const isFirstJump = this.#damaged === 0;
    this.#break(seq, `${gap} ${expected === seq - 1 ? 'is' : 'are'} missing before record ${seq}`, bytes);
    if (isFirstJump && this.breaks.length < MAX_FINDINGS) {
      this.#jump = { from: expected, seq, index: this.breaks.length - 1 };
    }
  }

  #goOn(record: RecordedEntry): void {
    this.#expected = record.seq + 1;
    this.#prevs = new Set([record.hash]);
    this.#damaged = 0;
  }

  #checkSignature(read: InspectedLine, bytes: Buffer): void {
    const { record } = read;
    if (!isSignedKind(record.kind)) {
      if (record.signature !== undefined || record.signer !== undefined) {
        this.#break(record.seq, `the ${record.kind} record bears a signature, which none of its kind does`, bytes);
      }
      return;
    }
    if (this.#publicKey === null) return;
    if (!this.#isSigned(read)) {
      const by = record.signer === undefined || record.signer === this.#signer ? '' : ` (it names ${record.signer})`;
      this.#break(record.seq, `the ${record.kind} bears no valid signature of the ledger's key${by}`, bytes);
      return;
    }
    if (record.kind !== 'recovered') return;
    for (const sentence of record.changes ?? []) this.accepted.add(sentence);
    const why = record.user_reason === undefined ? '' : ` (${record.user_reason})`;
    this.#note(record.seq, `recovered: ${record.changes?.[0] ?? 'no detail'}${why}`);
  }

  #isSigned({ record, signed }: InspectedLine): boolean {
    if (this.#publicKey === null || signed === null || record.signature === undefined) return false;
    return record.signer === this.#signer && isSignedBy(this.#publicKey, signed, record.signature);
  }

  #break(seq: number | null, what: string, bytes: Buffer): void {
    if (this.breaks.length >= MAX_FINDINGS) {
      this.more += 1;
      return;
    }
    const digest = hash('sha256', bytes, 'hex').slice(0, 32);
    const sentence = `line ${this.#line} (${digest}) of the file that begins with record ${this.#fileFirst}: ${what}`;
    this.breaks.push({ file: this.#file, line: this.#line, seq, what, sentence });
  }

  #rename(index: number, what: string): void {
    const found = this.breaks[index];
    if (found === undefined) return;
    this.breaks[index] = { ...found, what, sentence: found.sentence.replace(found.what, what) };
  }

  #note(seq: number | null, what: string): void {
    if (this.notes.length < MAX_FINDINGS) this.notes.push({ file: this.#file, line: this.#line, seq, what });
  }
}
