import { promises as fs } from 'node:fs';
import { CURRENT_LOG } from './files.ts';
import { type Line, readLines, readLinesBackward } from './lines.ts';
import { type OpenFiles, openFiles } from './open-files.ts';
import type { LedgerKind, RecordedEntry } from './record.ts';

/** What to look for: everything given must hold. */
export interface LedgerFilter {
  readonly actor?: string;
  readonly kind?: LedgerKind | string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly request_id?: string;
  /** Decimal. */
  readonly serial?: string;
  /** Of the caller: one's own records. */
  readonly uid?: number;
  /** Number of a record: those behind it, whatever the clock said. */
  readonly after?: number;
  /** Milliseconds since the epoch, both inclusive. */
  readonly since?: number;
  readonly until?: number;
}

export interface LedgerLine {
  readonly seq: bigint;
  /** The record as it stands in the file, without the newline. */
  readonly json: string;
  readonly record: RecordedEntry;
}

const TEXT_KEYS = ['actor', 'kind', 'outcome', 'reason', 'request_id', 'serial'] as const;

/** A test for lines. Most lines fail on their bytes alone and are never parsed. */
export function lineMatcher(filter: LedgerFilter): (bytes: Buffer) => LedgerLine | null {
  const needles = TEXT_KEYS.flatMap((key) => {
    const wanted = filter[key];
    return wanted === undefined ? [] : [Buffer.from(`,"${key}":${JSON.stringify(wanted)}`)];
  });
  // The uid stands first in every caller; its last digit is for the parser to judge.
  if (filter.uid !== undefined) needles.push(Buffer.from(`,"caller":{"uid":${filter.uid}`));
  return (bytes) => {
    for (const needle of needles) if (!bytes.includes(needle)) return null;
    const json = bytes.toString('utf8');
    let record: RecordedEntry;
    try {
      record = JSON.parse(json);
    } catch {
      // A damaged line is `verify`'s to name; a query goes on behind it.
      return null;
    }
    if (!Number.isSafeInteger(record?.seq) || !matches(record, filter)) return null;
    return { seq: BigInt(record.seq), json, record };
  };
}

function matches(record: RecordedEntry, filter: LedgerFilter): boolean {
  for (const key of TEXT_KEYS) if (filter[key] !== undefined && record[key] !== filter[key]) return false;
  if (filter.uid !== undefined && record.caller?.uid !== filter.uid) return false;
  if (filter.after !== undefined && record.seq <= filter.after) return false;
  if (filter.since === undefined && filter.until === undefined) return true;
  const time = Date.parse(record.time);
  return time >= (filter.since ?? Number.NEGATIVE_INFINITY) && time <= (filter.until ?? Number.POSITIVE_INFINITY);
}

/** Where a matching line stands: so that ten thousand long lines need not be held at once. */
interface Place {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * The last `limit` records that match, oldest first; without a limit all of them. Reads the files backwards in
 * blocks, on a live ledger too; the memory it takes depends on the limit only. `signal` ends a search with a limit
 * between two blocks, with nothing found. With `since` it stops at the first
 * file whose records are all older (clocks jump, so that one old record alone says nothing), with `after` at that record.
 */
export async function* queryLedger(
  dir: string,
  filter: LedgerFilter,
  options: { readonly limit?: number; readonly signal?: AbortSignal } = {},
): AsyncGenerator<LedgerLine> {
  const files = await openFiles(dir);
  try {
    if (options.limit === undefined) yield* forward(files, filter);
    else yield* lastOf(files, filter, options.limit, options.signal);
  } finally {
    await files.current?.close();
  }
}

async function withFile<T>(files: OpenFiles, index: number, use: (handle: fs.FileHandle) => Promise<T>): Promise<T> {
  const file = files.list[index];
  if (file?.name === CURRENT_LOG && files.current !== null) return use(files.current);
  const handle = await fs.open(file?.path ?? '');
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function* forward(files: OpenFiles, filter: LedgerFilter): AsyncGenerator<LedgerLine> {
  const match = lineMatcher(filter);
  for (const file of files.list) {
    const isCurrent = file.name === CURRENT_LOG && files.current !== null;
    const handle = isCurrent && files.current !== null ? files.current : await fs.open(file.path);
    try {
      for await (const lines of readLines(handle)) {
        for (const line of lines) {
          const found = line.ended ? match(line.bytes) : null;
          if (found !== null) yield found;
        }
      }
    } finally {
      if (!isCurrent) await handle.close();
    }
  }
}

async function* lastOf(
  files: OpenFiles,
  filter: LedgerFilter,
  limit: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<LedgerLine> {
  const places: Place[] = [];
  const match = lineMatcher(filter);
  for (let index = files.list.length - 1; index >= 0 && places.length < limit; index -= 1) {
    const goOn = await withFile(files, index, (handle) =>
      collect(handle, index, { match, since: filter.since, after: filter.after, limit, signal }, places),
    );
    if (!goOn) break;
  }
  if (signal?.aborted) return;
  places.reverse();
  for (let from = 0; from < places.length; ) {
    const file = places[from]?.file ?? 0;
    let to = from;
    while (places[to]?.file === file) to += 1;
    const here = places.slice(from, to);
    from = to;
    const isCurrent = files.list[file]?.name === CURRENT_LOG && files.current !== null;
    const handle = isCurrent && files.current !== null ? files.current : await fs.open(files.list[file]?.path ?? '');
    try {
      for (const place of here) {
        const bytes = Buffer.alloc(place.length);
        await handle.read(bytes, 0, place.length, place.offset);
        const found = match(bytes);
        if (found !== null) yield found;
      }
    } finally {
      if (!isCurrent) await handle.close();
    }
  }
}

interface Wanted {
  readonly match: (bytes: Buffer) => LedgerLine | null;
  readonly since: number | undefined;
  readonly after: number | undefined;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** Notes matching lines of one file, last first. False where nothing before it is wanted, or nobody waits. */
async function collect(
  handle: fs.FileHandle,
  file: number,
  { match, since, after, limit, signal }: Wanted,
  places: Place[],
): Promise<boolean> {
  const { size } = await handle.stat();
  let newest = Number.NEGATIVE_INFINITY;
  for await (const lines of readLinesBackward(handle, size)) {
    if (signal?.aborted) return false;
    for (const line of lines) {
      if (!line.ended) continue;
      if (after !== undefined && seqOf(line) <= after) return false;
      if (since !== undefined) newest = Math.max(newest, timeOf(line));
      if (match(line.bytes) === null) continue;
      places.push({ file, offset: line.offset, length: line.bytes.length });
      if (places.length >= limit) return true;
    }
  }
  return since === undefined || size === 0 || newest >= since;
}

/** Infinity for a damaged line: the search goes on before it. */
function seqOf(line: Line): number {
  const match = /^\{"v":1,"seq":(\d{1,16}),/.exec(line.bytes.toString('latin1', 0, 32));
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}

function timeOf(line: Line): number {
  // `time` stands within the first 200 bytes of every record, before anything that a caller chose.
  const match = /,"time":"([^"]{20,30})"/.exec(line.bytes.toString('latin1', 0, 200));
  const time = match === null ? Number.NaN : Date.parse(match[1] ?? '');
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}
