import { hash } from 'node:crypto';
import type { LedgerKey } from './key.ts';
import { encodeStart, signedBytes } from './line.ts';

/** Where the chain stands: what the next record follows. */
export interface ChainPosition {
  /** Of the last record; 0 before the first. */
  readonly seq: number;
  /** Of the last record, 32 bytes. */
  readonly hash: Buffer;
  /** Records since the last checkpoint. */
  readonly sinceCheckpoint: number;
}

/** One encoded entry on its way into the chain: its text from `,"kind"` on. */
export interface ChainEntry {
  readonly text: string;
  readonly bytes: number;
  /** Checkpoints and recoveries bear the ledger's signature. */
  readonly signed?: boolean;
}

export interface ChainedLine {
  readonly seq: number;
  /** The line in `ChainedBatch.bytes`, without its newline. */
  readonly start: number;
  readonly end: number;
}

export interface ChainedBatch {
  /** The lines to write. Valid until the next batch is built. */
  readonly bytes: Buffer;
  /** One for each entry, in order; checkpoints that the chain put in between are not among them. */
  readonly lines: readonly ChainedLine[];
  readonly position: ChainPosition;
}

/** What the ledger adds to an entry: start, signer and signature, hash. */
const OVERHEAD = 512;
const CHECKPOINT = ',"kind":"checkpoint","outcome":"ok"';

/** Puts entries into the chain. Pure but for the buffers it keeps: a position goes in, the next comes out. */
export class ChainWriter {
  readonly #key: LedgerKey;
  readonly #checkpointEvery: number;
  #out = Buffer.allocUnsafe(64 * 1024);
  /** 32 bytes of `prev`, then the line so far: what the hash is taken over. */
  #scratch = Buffer.allocUnsafe(128 * 1024);

  constructor(key: LedgerKey, checkpointEvery: number) {
    this.#key = key;
    this.#checkpointEvery = checkpointEvery;
  }

  build(entries: readonly ChainEntry[], from: ChainPosition, time: string): ChainedBatch {
    let needed = 0;
    for (const entry of entries) needed += entry.bytes + OVERHEAD;
    needed += (Math.ceil(entries.length / this.#checkpointEvery) + 1) * (CHECKPOINT.length + OVERHEAD);
    if (this.#out.length < needed) this.#out = Buffer.allocUnsafe(needed);

    let { seq, hash: last, sinceCheckpoint } = from;
    let offset = 0;
    const lines: ChainedLine[] = [];
    const add = (text: string, signed: boolean): ChainedLine => {
      seq += 1;
      const start = offset;
      ({ offset, hash: last } = this.#line(encodeStart(seq, last.toString('hex'), time) + text, signed, last, offset));
      return { seq, start, end: offset - 1 };
    };
    for (const entry of entries) {
      lines.push(add(entry.text, entry.signed === true));
      sinceCheckpoint += 1;
      if (sinceCheckpoint >= this.#checkpointEvery) {
        add(CHECKPOINT, true);
        sinceCheckpoint = 0;
      }
    }
    return { bytes: this.#out.subarray(0, offset), lines, position: { seq, hash: last, sinceCheckpoint } };
  }

  #line(text: string, signed: boolean, prev: Buffer, at: number): { offset: number; hash: Buffer } {
    const out = this.#out;
    let offset = at + out.write(text, at);
    if (signed) {
      offset += out.write(`,"signer":"${this.#key.signer}"`, offset, 'latin1');
      const signature = this.#key.sign(signedBytes(prev, out.subarray(at, offset)));
      offset += out.write(`,"signature":"${signature}"`, offset, 'latin1');
    }
    const length = offset - at;
    if (this.#scratch.length < length + 32) this.#scratch = Buffer.allocUnsafe(length * 2);
    prev.copy(this.#scratch, 0);
    out.copy(this.#scratch, 32, at, offset);
    const digest = hash('sha256', this.#scratch.subarray(0, 32 + length), 'buffer');
    offset += out.write(`,"hash":"${digest.toString('hex')}"}\n`, offset, 'latin1');
    return { offset, hash: digest };
  }
}
