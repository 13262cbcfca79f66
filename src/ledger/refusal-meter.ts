import type { LedgerEntry, LedgerReceipt } from './record.ts';

/** Refusals that a caller can cause without being allowed anything: a flood of these must not fill the disk. */
const METERED: ReadonlySet<string> = new Set([
  'caller_not_allowed',
  'rate_limited',
  'concurrency_limited',
  'connection_limited',
  'caller_gone',
  'caller_changed',
  'break_glass_forbidden',
  'not_administrator',
]);

/**
 * What is looked at before the caller is: metered as long as no actor admitted it (its record has no type of actor
 * then), or a stranger's broken keys would be the flood.
 */
const METERED_FOR_STRANGERS: ReadonlySet<string> = new Set([
  'invalid_request',
  'public_key_malformed',
  'public_key_unsupported',
  'public_key_too_weak',
  'public_key_is_certificate',
]);

export const WINDOW_MS = 60_000;
/**
 * Executables, by what they are refused for, told apart within one uid, and callers in all; beyond either, they are
 * counted together. One who is refused for another reason gets a record of its own: the number that it is given
 * leads to what it was told.
 */
export const MAX_EXES_PER_UID = 64;
export const MAX_CALLERS = 1024;

/** A caller whose first refusal is on record, and what came since. */
export interface RefusalWindow {
  readonly key: string;
  readonly uid: number | null;
  /** When the current minute began, monotonic milliseconds. */
  since: number;
  count: number;
  last: LedgerEntry;
  /** Several callers share this window. */
  readonly shared: boolean;
  /** Where the first refusal was recorded; null where that failed. */
  first: Promise<LedgerReceipt | null>;
}

/** Says which refusals are recorded at once and which are counted. Time goes in as a number; nothing is written here. */
export class RefusalMeter {
  readonly #windows = new Map<string, RefusalWindow>();
  readonly #exes = new Map<number, number>();

  /** Null where this refusal is of no metered kind. `isNew` where it is the first of its caller: record it. */
  offer(entry: LedgerEntry, now: number): { window: RefusalWindow; isNew: boolean } | null {
    if (!isMetered(entry)) return null;
    const { key, uid, shared } = this.#keyFor(entry);
    const known = this.#windows.get(key);
    if (known !== undefined) {
      known.count += 1;
      known.last = entry;
      return { window: known, isNew: false };
    }
    const window: RefusalWindow = { key, uid, since: now, count: 0, last: entry, shared, first: Promise.resolve(null) };
    this.#windows.set(key, window);
    if (uid !== null && !shared) this.#exes.set(uid, (this.#exes.get(uid) ?? 0) + 1);
    return { window, isNew: true };
  }

  /** The counted records whose minute is over (all of them at the end). Callers that were quiet are forgotten. */
  due(now: number, all = false): LedgerEntry[] {
    const entries: LedgerEntry[] = [];
    for (const window of this.#windows.values()) {
      if (!all && now - window.since < WINDOW_MS) continue;
      if (window.count === 0 || all) this.#forget(window);
      if (window.count > 0) entries.push(countedEntry(window));
      window.count = 0;
      window.since = now;
    }
    return entries;
  }

  #forget(window: RefusalWindow): void {
    this.#windows.delete(window.key);
    if (window.uid === null || window.shared) return;
    const left = (this.#exes.get(window.uid) ?? 1) - 1;
    if (left > 0) this.#exes.set(window.uid, left);
    else this.#exes.delete(window.uid);
  }

  #keyFor({ caller, reason }: LedgerEntry): { key: string; uid: number | null; shared: boolean } {
    if (caller === undefined) return { key: '-', uid: null, shared: true };
    const { uid } = caller;
    const own = `${uid}:${reason}:${caller.exe ?? ''}`;
    if (this.#windows.has(own)) return { key: own, uid, shared: false };
    if (this.#windows.size < MAX_CALLERS) {
      if ((this.#exes.get(uid) ?? 0) < MAX_EXES_PER_UID) return { key: own, uid, shared: false };
      return { key: `${uid}:*`, uid, shared: true };
    }
    return this.#windows.has(`${uid}:*`)
      ? { key: `${uid}:*`, uid, shared: true }
      : { key: '*', uid: null, shared: true };
  }
}

function isMetered({ reason, actor_type }: LedgerEntry): boolean {
  if (reason === undefined) return false;
  return METERED.has(reason) || (actor_type === undefined && METERED_FOR_STRANGERS.has(reason));
}

/** One record for all that were counted: who, why last, how many. Of several callers no pid or executable is claimed. */
function countedEntry(window: RefusalWindow): LedgerEntry {
  const { kind, reason, caller } = window.last;
  const named =
    caller === undefined || window.uid === null
      ? {}
      : { caller: window.shared ? { uid: caller.uid, gid: caller.gid, pid: 0 } : caller };
  return { kind, outcome: 'refused', ...(reason === undefined ? {} : { reason }), ...named, count: window.count };
}
