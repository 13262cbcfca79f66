import { promises as fs } from 'node:fs';
import type { Clock } from '../kernel/clock.ts';
import type { WardenError } from '../kernel/errors.ts';
import { begin } from './begin.ts';
import type { OnLedgerEvent } from './events.ts';
import { followLedger } from './follow.ts';
import type { LedgerKey } from './key.ts';
import type { Ledger } from './ledger.ts';
import { encodeEntry, fitEntry } from './line.ts';
import { asUnavailable, isFullDisk, type LogIo, systemIo } from './log-file.ts';
import type { LedgerFilter, LedgerLine } from './query.ts';
import type { LedgerEntry, LedgerReceipt } from './record.ts';
import { RefusalMeter, type RefusalWindow } from './refusal-meter.ts';
import { recordedSerial } from './serial.ts';
import { SpaceWatch } from './space.ts';
import { LedgerWriter } from './writer.ts';

export interface FileLedgerOptions {
  /** The state folder; made (0700) where it is missing. */
  readonly dir: string;
  readonly clock: Clock;
  /** At this size, in bytes, a file is closed and the next begun. */
  readonly rotateBytes: number;
  /** A signed checkpoint follows every this many records. */
  readonly checkpointEvery: number;
  /** A file outside the state folder that a folder put back from a copy can't take along. */
  readonly anchorFile?: string;
  readonly onEvent?: OnLedgerEvent;
  /** Tests put faults in. */
  readonly io?: LogIo;
}

export interface LedgerStatus {
  readonly seq: bigint;
  /** Of the last record, hex. */
  readonly hash: string;
  readonly writable: boolean;
  /** Why it is not writable. */
  readonly failure: WardenError | null;
  /** Refusals that were counted and not recorded one by one, since the start. */
  readonly refusalsCounted: number;
  /** Durable writes since the start, and the records that shared them. */
  readonly commits: number;
  readonly records: number;
}

const MAINTAIN_EVERY_MS = 5_000;

/** The ledger in files: `signatures.log`, its rotated predecessors, its signed head. */
export class FileLedger implements Ledger {
  readonly #options: FileLedgerOptions;
  readonly #writer: LedgerWriter;
  readonly #key: LedgerKey;
  readonly #meter = new RefusalMeter();
  readonly #space: SpaceWatch;
  readonly #timer: NodeJS.Timeout;
  #wasShort = false;
  /** Counted and not yet on record in any form. */
  #withheld = 0;
  #counted = 0;

  private constructor(options: FileLedgerOptions, writer: LedgerWriter, key: LedgerKey, space: SpaceWatch) {
    this.#options = options;
    this.#key = key;
    this.#writer = writer;
    this.#space = space;
    this.#timer = setInterval(() => void this.maintain(), MAINTAIN_EVERY_MS).unref();
  }

  /**
   * Holds the folder against its signed head (and the anchor), tidies up after an unfinished write, and is ready
   * to append. One process at a time: the caller holds the lock of the state folder.
   * @throws WardenError state_rolled_back, ledger_broken, ledger_unavailable
   */
  static async open(options: FileLedgerOptions): Promise<FileLedger> {
    const { dir, clock, rotateBytes, checkpointEvery } = options;
    const space = new SpaceWatch(dir);
    const onEvent: OnLedgerEvent = (event) => {
      if (event.event === 'unavailable' && isFullDisk(event.cause)) space.markShort();
      options.onEvent?.(event);
    };
    let begun: Awaited<ReturnType<typeof begin>>;
    try {
      await fs.mkdir(dir, { recursive: true, mode: 0o700 });
      begun = await begin(dir, options.anchorFile ?? null, options.io ?? systemIo);
    } catch (thrown) {
      throw asUnavailable(thrown);
    }
    const writer = new LedgerWriter(begun.start, { clock, rotateBytes, checkpointEvery, onEvent });
    await space.refresh();
    const ledger = new FileLedger(options, writer, begun.start.key, space);
    if (begun.recovered.length > 0) {
      onEvent({ event: 'recovered', detail: begun.recovered.join('; ') });
      await ledger
        .#recordRecovery({ kind: 'recovered', outcome: 'ok', changes: begun.recovered })
        .catch(async (thrown) => {
          await ledger.close();
          throw thrown;
        });
    }
    return ledger;
  }

  async append(entry: LedgerEntry): Promise<LedgerReceipt> {
    return this.#writer.append(encodeEntry(entry), recordedSerial(entry));
  }

  /**
   * A refusal, a failure, or anything else that releases nothing. Of callers that match nothing or are over their
   * limit the first is recorded, the rest counted: they get the receipt of the first. Where the disk is short of
   * space, all are counted, and get null.
   */
  async appendRefusal(entry: LedgerEntry): Promise<LedgerReceipt | null> {
    const now = this.#options.clock.monotonic();
    this.#glance(now);
    const metered = this.#meter.offer(entry, now);
    if (metered === null) return this.#writeRefusal(entry);
    const { window, isNew } = metered;
    if (isNew) return this.#writeFirst(window, entry);
    this.#counted += 1;
    return window.first;
  }

  argvHmac(argv: readonly string[]): string {
    // No argument holds a NUL: what is between two of them is one argument.
    return this.#key.mac('argv', Buffer.from(argv.map((word) => `${word}\0`).join('')));
  }

  #writeFirst(window: RefusalWindow, entry: LedgerEntry): Promise<LedgerReceipt | null> {
    const writing = this.#writeRefusal(entry);
    // Later ones get null where the first could not be written; the failure itself is the first caller's answer.
    window.first = writing.catch(() => null);
    return writing;
  }

  async #writeRefusal(entry: LedgerEntry): Promise<LedgerReceipt | null> {
    if (this.#space.isShort) return this.#withhold(1);
    try {
      return await this.#writer.append(fitEntry(entry), 0n);
    } catch (thrown) {
      const error = asUnavailable(thrown);
      this.#withhold(1);
      if (!isFullDisk(error)) throw error;
      return null;
    }
  }

  #withhold(count: number): null {
    this.#withheld += count;
    this.#counted += count;
    return null;
  }

  /** Writes the counted records that are due and, where the ledger failed, tries it again. Runs by itself every 5 s. */
  async maintain(atTheEnd = false): Promise<void> {
    await this.#space.refresh();
    const now = this.#options.clock.monotonic();
    this.#glance(now);
    for (const entry of this.#meter.due(now, atTheEnd)) {
      // What can't be written now is not lost: it goes into the record of what was withheld.
      const written = this.#space.isShort ? null : await this.append(entry).catch(() => null);
      if (written === null) this.#withheld += entry.count ?? 0;
    }
    if (this.#space.isShort || (this.#withheld === 0 && this.#writer.failure === null)) return;
    await this.#recordWithheld();
  }

  async #recordWithheld(): Promise<void> {
    const count = this.#withheld;
    this.#withheld = 0;
    const what =
      count === 0
        ? 'the ledger could not be written for a time, and nothing was released'
        : `${count} refusals were counted while the ledger was short of space or could not be written`;
    const counted = count === 0 ? {} : { count };
    await this.#recordRecovery({
      kind: 'recovered',
      outcome: 'ok',
      reason: 'ledger_unavailable',
      ...counted,
      changes: [what],
    }).catch(() => {
      this.#withheld += count;
    });
  }

  #recordRecovery(entry: LedgerEntry): Promise<LedgerReceipt> {
    return this.#writer.append({ ...encodeEntry(entry), signed: true }, 0n);
  }

  #glance(now: number): void {
    this.#space.glance(now);
    if (this.#space.isShort === this.#wasShort) return;
    this.#wasShort = this.#space.isShort;
    this.#options.onEvent?.({ event: this.#wasShort ? 'space_short' : 'space_returned' });
  }

  /** The highest certificate serial that was ever recorded (OpenBao's random ones apart); 0 where there is none. */
  lastSerial(): bigint {
    return this.#writer.serial;
  }

  status(): LedgerStatus {
    const { seq, hash, failure, commits, records } = this.#writer;
    const refusalsCounted = this.#counted;
    return { seq: BigInt(seq), hash, writable: failure === null, failure, refusalsCounted, commits, records };
  }

  /** Called after each commit, with the last durable record's number. Returns how to stop it. */
  subscribe(listener: (seq: bigint) => void): () => void {
    return this.#writer.onCommit(() => listener(BigInt(this.#writer.seq)));
  }

  /** New records as they become durable, until `signal` aborts. The file is the buffer: a slow reader costs no memory. */
  follow(filter: LedgerFilter, signal: AbortSignal): AsyncGenerator<LedgerLine> {
    return followLedger(this.#options.dir, {
      filter,
      signal,
      after: this.#writer.seq,
      durable: () => this.#writer.seq,
      wake: (listener) => this.#writer.onCommit(listener),
    });
  }

  /** Writes what was counted, waits for what is under way, and signs the head as closed. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.maintain(true);
    await this.#writer.close();
  }
}
