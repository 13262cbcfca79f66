import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { isMissing, writeDurably } from '../ledger/files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { queryLedger } from '../ledger/query.ts';
import type { LedgerEntry, LedgerReceipt, RecordedEntry } from '../ledger/record.ts';
import { changeOfRecord, recordOfChange } from './change.ts';
import { revocationListOf } from './list-of.ts';
import type { CurrentList, RestraintKeeper } from './restraint-keeper.ts';
import {
  applyChange,
  isHeld,
  type Lockdown,
  type RestraintChange,
  type RestraintState,
  type Revoked,
  UNRESTRAINED,
} from './restraints.ts';
import { decodeSaved, encodeSaved, type SavedRestraints } from './state-file.ts';

const STATE_FILE = 'restraints.json';
const LIST_FILE = 'revoked.krl';

export interface FileRestraintsOptions {
  /** The state folder; the ledger in it is open already. */
  readonly dir: string;
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, 'append'>;
  /** Number of the ledger's last record. */
  readonly lastSeq: () => bigint;
  /** Wire encodings of the authority keys in force. */
  readonly authorities: readonly Buffer[];
  /** A sentence for the log. */
  readonly onEvent?: (what: string, cause?: unknown) => void;
}

const RETRY_MS = 5_000;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const MAX_AUTHORITIES = 64;

/** Restraints in files. The ledger's records are what holds; the state file spares reading all of them at each start. */
export class FileRestraints implements RestraintKeeper {
  readonly #options: FileRestraintsOptions;
  readonly #pending = new Set<RestraintChange>();
  #saved: SavedRestraints;
  #bytes: Buffer;
  #writing: Promise<void> = Promise.resolve();
  #unwritten = false;
  #timer: NodeJS.Timeout | null = null;

  private constructor(options: FileRestraintsOptions, saved: SavedRestraints) {
    this.#options = options;
    this.#saved = saved;
    this.#bytes = revocationListOf(saved.state, saved);
  }

  /**
   * What was in force when the daemon ended, wherever it was cut off: records that the state file does not know yet
   * are applied, and where the file is gone or unreadable all of them are. The list is written where it is not there.
   */
  static async open(options: FileRestraintsOptions): Promise<FileRestraints> {
    const { dir, clock, lastSeq, onEvent } = options;
    const text = await fs.readFile(join(dir, STATE_FILE), 'utf8').catch((cause: unknown) => {
      if (isMissing(cause)) return null;
      throw new WardenError('ledger_unavailable', `${STATE_FILE} cannot be read`, { cause });
    });
    const found = text === null ? null : decodeSaved(text);
    if (text !== null && found === null) onEvent?.('the state of revocations was unreadable and is made anew');
    const before = found?.state ?? UNRESTRAINED;
    const state = await replay(dir, before);
    const authorities = union(found?.authorities ?? [], options.authorities);
    const isAsSaved = found !== null && state === before && authorities.length === found.authorities.length;
    const saved = isAsSaved
      ? found
      : { state, authorities, number: nextNumber(found?.number ?? 0n, lastSeq()), generatedAt: clock.now() };
    const restraints = new FileRestraints(options, saved);
    const onDisk = await fs.readFile(join(dir, LIST_FILE)).catch(() => null);
    if (!isAsSaved || onDisk === null || !onDisk.equals(restraints.#bytes)) {
      await restraints.#write().catch((cause: unknown) => onEvent?.('the revocation list could not be written', cause));
    }
    return restraints;
  }

  get lockdown(): Lockdown | null {
    if (this.#saved.state.lockdown !== null) return this.#saved.state.lockdown;
    for (const change of this.#pending) {
      if (change.kind === 'lockdown') return { since: this.#options.clock.now(), reason: change.reason };
    }
    return null;
  }

  get actors(): ReadonlySet<string> {
    return this.#saved.state.actors;
  }

  isRevokedActor(name: string): boolean {
    return this.#saved.state.actors.has(name) || this.#isPending('actor', name);
  }

  isRevokedKey(fingerprint: string): boolean {
    return this.#saved.state.keys.has(fingerprint) || this.#isPending('key', fingerprint);
  }

  holds(item: Revoked): boolean {
    return isHeld(this.#saved.state, item);
  }

  list(): CurrentList {
    const { number, generatedAt, state } = this.#saved;
    const certificates = state.serials.size + state.keyIds.size;
    const path = join(this.#options.dir, LIST_FILE);
    return { bytes: this.#bytes, number, generatedAt, certificates, keys: state.keys.size, path };
  }

  get isWritten(): boolean {
    return !this.#unwritten;
  }

  async commit(change: RestraintChange, entry: LedgerEntry): Promise<LedgerReceipt> {
    if (change.action === 'set') this.#pending.add(change);
    let receipt: LedgerReceipt;
    try {
      receipt = await this.#options.ledger.append({ ...entry, ...recordOfChange(change) });
      this.#put(applyChange(this.#saved.state, change, placeOf(receipt)));
    } finally {
      this.#pending.delete(change);
    }
    await this.#write().catch((cause: unknown) => {
      throw new WardenError(
        'revocation_list_failed',
        'it is in force and recorded, and its files could not be written',
        {
          cause,
          ledgerSeq: receipt.seq,
        },
      );
    });
    return receipt;
  }

  /** The keys of the authority in force: certificates are revoked of each that there ever was. */
  async setAuthorities(authorities: readonly Buffer[]): Promise<void> {
    const all = union(this.#saved.authorities, authorities);
    if (all.length === this.#saved.authorities.length) return;
    this.#saved = { ...this.#saved, authorities: all };
    this.#put(this.#saved.state);
    await this.#write().catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#writing;
  }

  #isPending(what: 'actor' | 'key', value: string): boolean {
    for (const change of this.#pending) {
      if (change.kind === 'revoke' && change.items.some((item) => item.what === what && item.value === value))
        return true;
    }
    return false;
  }

  /** In force at once; the files follow. */
  #put(state: RestraintState): void {
    const { clock, lastSeq } = this.#options;
    const number = nextNumber(this.#saved.number, lastSeq());
    this.#saved = { ...this.#saved, state, number, generatedAt: clock.now() };
    this.#bytes = revocationListOf(state, this.#saved);
  }

  /** One after the other, each with what is in force by then. */
  #write(): Promise<void> {
    const mine = this.#writing.then(async () => {
      const { dir, onEvent } = this.#options;
      try {
        await writeDurably(join(dir, STATE_FILE), encodeSaved(this.#saved), 0o600);
        await writeDurably(join(dir, LIST_FILE), this.#bytes, 0o644);
        this.#unwritten = false;
      } catch (cause) {
        this.#unwritten = true;
        onEvent?.('the revocation list could not be written', cause);
        this.#timer ??= setTimeout(() => {
          this.#timer = null;
          void this.#write().catch(() => undefined);
        }, RETRY_MS).unref();
        throw cause;
      }
    });
    this.#writing = mine.catch(() => undefined);
    return mine;
  }
}

/** Numbers rise also where the state file was lost: every list follows a record of the ledger. */
function nextNumber(last: bigint, lastSeq: bigint): bigint {
  return last + 1n > lastSeq ? last + 1n : lastSeq;
}

function union(known: readonly Buffer[], more: readonly Buffer[]): Buffer[] {
  const all = [...known];
  for (const blob of more) if (!all.some((one) => one.equals(blob))) all.push(blob);
  return all.slice(-MAX_AUTHORITIES);
}

/** The very state that came in where the ledger holds nothing newer. */
async function replay(dir: string, before: RestraintState): Promise<RestraintState> {
  const found: RecordedEntry[] = [];
  for (const kind of ['revoke', 'lockdown'] as const) {
    const filter = { kind, outcome: 'ok', after: before.seq };
    const options = before.seq === 0 ? {} : { limit: NO_LIMIT };
    for await (const { record } of queryLedger(dir, filter, options)) found.push(record);
  }
  found.sort((a, b) => a.seq - b.seq);
  let state = before;
  for (const record of found) {
    const change = changeOfRecord(record);
    if (change !== null) state = applyChange(state, change, { seq: record.seq, time: Date.parse(record.time) });
  }
  return state;
}

function placeOf({ seq, time }: LedgerReceipt): { seq: number; time: number } {
  return { seq: Number(seq), time: Date.parse(time) };
}
