import type { Clock } from '../kernel/clock.ts';
import type { WardenError } from '../kernel/errors.ts';
import { unavailable } from './broken.ts';
import { type ChainEntry, type ChainPosition, ChainWriter } from './chain.ts';
import type { OnLedgerEvent } from './events.ts';
import type { FileIdentity } from './files.ts';
import type { Head } from './head.ts';
import type { HeadFile } from './head-file.ts';
import type { LedgerKey } from './key.ts';
import { asUnavailable, type LogFile } from './log-file.ts';
import type { LedgerReceipt } from './record.ts';

/** The most records that wait for the disk; one more is refused. */
const MAX_WAITING = 4096;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const HEAL_EVERY_MS = 1_000;
const ROTATE_RETRY_BYTES = 1024 * 1024;

export interface WriterStart {
  readonly log: LogFile;
  readonly heads: HeadFile;
  readonly key: LedgerKey;
  readonly id: string;
  readonly folder: string;
  readonly turn: number;
  readonly position: ChainPosition;
  readonly serial: bigint;
  /** Of the file that holds the last record: not the current one, while that is empty. */
  readonly lastFile: FileIdentity;
}

export interface WriterOptions {
  readonly clock: Clock;
  readonly rotateBytes: number;
  readonly checkpointEvery: number;
  readonly onEvent: OnLedgerEvent;
}

interface Waiting extends ChainEntry {
  readonly serial: bigint;
  readonly resolve: (receipt: LedgerReceipt) => void;
  readonly reject: (error: WardenError) => void;
}

/**
 * The one writer. Whatever waits when a commit begins goes into it: chained, written and made durable in one
 * call, the signed head behind it, and only then is anyone told. A commit that fails leaves the chain where it was.
 */
export class LedgerWriter {
  readonly #start: WriterStart;
  readonly #options: WriterOptions;
  readonly #chain: ChainWriter;
  readonly #listeners = new Set<() => void>();
  #position: ChainPosition;
  #serial: bigint;
  #turn: number;
  #lastFile: FileIdentity;
  #queue: Waiting[] = [];
  #running: Promise<void> | null = null;
  #failure: WardenError | null = null;
  #closed = false;
  #healedAt: number;
  #rotateAt: number;
  #commits = 0;
  #records = 0;

  constructor(start: WriterStart, options: WriterOptions) {
    this.#start = start;
    this.#options = options;
    this.#chain = new ChainWriter(start.key, options.checkpointEvery);
    this.#position = start.position;
    this.#serial = start.serial;
    this.#turn = start.turn;
    this.#lastFile = start.lastFile;
    this.#healedAt = options.clock.monotonic();
    this.#rotateAt = options.rotateBytes;
  }

  get seq(): number {
    return this.#position.seq;
  }
  get hash(): string {
    return this.#position.hash.toString('hex');
  }
  get serial(): bigint {
    return this.#serial;
  }
  /** Why the last commit failed; null where it did not. */
  get failure(): WardenError | null {
    return this.#failure;
  }
  /** Commits that reached the disk, each of one durable write. */
  get commits(): number {
    return this.#commits;
  }
  get records(): number {
    return this.#records;
  }

  append(entry: ChainEntry, serial: bigint): Promise<LedgerReceipt> {
    if (this.#closed) return Promise.reject(unavailable('the ledger is closed'));
    if (this.#queue.length >= MAX_WAITING) {
      return Promise.reject(unavailable('the ledger queue is full', undefined, 'ask again: the disk is slow'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...entry, serial, resolve, reject });
      // Begun in a microtask: what is appended in the same turn shares the commit.
      this.#running ??= Promise.resolve().then(() => this.#run());
    });
  }

  /** Called after each commit; the listener must be quick. Returns how to stop it. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for what is queued, then writes the head that says "closed in order". */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    const { log, heads } = this.#start;
    try {
      await log.ready();
      heads.write(heads.prepare(this.#head(this.#position, this.#serial, this.#lastFile, true)));
      heads.sync();
    } catch (cause) {
      // The head that is there stays: the next start finds a ledger that was not closed, which it knows how to read.
      this.#options.onEvent({ event: 'unavailable', detail: 'the last head could not be written', cause });
    } finally {
      heads.close();
      await log.close();
    }
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        await this.#commit(batch);
      } catch (thrown) {
        await this.#fail(batch, thrown);
      }
    }
    this.#running = null;
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes > MAX_BATCH_BYTES) break;
      bytes += waiting.bytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { log, heads } = this.#start;
    const { clock } = this.#options;
    await log.ready();
    if (log.size >= this.#rotateAt) await this.#rotate();
    const time = new Date(clock.now()).toISOString();
    const built = this.#chain.build(batch, this.#position, time);
    let serial = this.#serial;
    for (const waiting of batch) if (waiting.serial > serial) serial = waiting.serial;

    const writing = log.append(built.bytes);
    let slot: Buffer;
    try {
      // Signed while the disk works.
      slot = heads.prepare(this.#head(built.position, serial, log.identity, false));
    } finally {
      await writing;
    }
    this.#heal();
    heads.write(slot);

    const hash = built.position.hash.toString('hex');
    log.accept(built.bytes, built.lines[0]?.seq ?? built.position.seq, hash);
    this.#turn += 1;
    this.#position = built.position;
    this.#serial = serial;
    this.#lastFile = log.identity;
    this.#commits += 1;
    this.#records += batch.length;
    if (this.#failure !== null) {
      this.#failure = null;
      this.#options.onEvent({ event: 'available' });
    }
    batch.forEach((waiting, index) => {
      waiting.resolve({ seq: BigInt(built.lines[index]?.seq ?? 0), time });
    });
    for (const listener of this.#listeners) listener();
  }

  async #fail(batch: readonly Waiting[], thrown: unknown): Promise<void> {
    const error = asUnavailable(thrown);
    await this.#start.log.rollBack();
    if (this.#failure === null) {
      this.#options.onEvent({ event: 'unavailable', detail: error.message, cause: error });
    }
    this.#failure = error;
    // All that wait are told now: a disk that failed for the first of them is not tried again for each.
    for (const waiting of [...batch, ...this.#queue.splice(0)]) waiting.reject(error);
  }

  #head(position: ChainPosition, serial: bigint, file: FileIdentity, closed: boolean): Head {
    const { id, folder } = this.#start;
    const hash = position.hash.toString('hex');
    return { id, turn: this.#turn + 1, seq: position.seq, hash, serial, file, folder, closed };
  }

  /** A head or anchor that was removed is made again, and said. */
  #heal(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#healedAt < HEAL_EVERY_MS) return;
    this.#healedAt = now;
    if (!this.#start.heads.heal()) this.#options.onEvent({ event: 'head_restored' });
  }

  async #rotate(): Promise<void> {
    const { log, heads } = this.#start;
    try {
      await log.rotate();
      heads.sync();
      this.#rotateAt = this.#options.rotateBytes;
      this.#options.onEvent({ event: 'rotated' });
    } catch (cause) {
      // The file in use stays in use: a rotation that is late is no reason to release nothing.
      this.#rotateAt = log.size + ROTATE_RETRY_BYTES;
      this.#options.onEvent({ event: 'rotation_failed', cause });
    }
  }
}
