import { MAX_UINT64 } from './wire.ts';

/** Serials from `low` to `high`, both included. */
export interface SerialRange {
  readonly low: bigint;
  readonly high: bigint;
}

/** Sorted, without overlap, neighbours joined: the one form of a set of serials. */
export function mergeRanges(ranges: Iterable<SerialRange>): SerialRange[] {
  const sorted = [...ranges].sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
  const merged: { low: bigint; high: bigint }[] = [];
  for (const { low, high } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && (last.high === MAX_UINT64 || low <= last.high + 1n)) {
      if (high > last.high) last.high = high;
    } else merged.push({ low, high });
  }
  return merged;
}

/** How a set is written: each part in ascending order, and every serial in exactly one of them. */
export interface SerialParts {
  readonly list: readonly bigint[];
  readonly ranges: readonly SerialRange[];
  /** Close neighbours with gaps, each group as one bitmap. */
  readonly bitmaps: readonly (readonly SerialRange[])[];
}

/** A range takes 16 bytes and a section of its own, a listed serial 8. */
const LISTED_MOST = 2n;
/** A gap of so many serials costs a bitmap as many bytes as a listed serial. */
const GAP_MOST = 64n;
/** OpenSSH reads no number above 16,384 bits. */
const BITMAP_BITS_MOST = 16_000n;
const BITMAP_OVERHEAD = 18n;
const RANGE_BYTES = 21n;
const SERIAL_BYTES = 8n;

/** The shortest way to write merged ranges, as far as looking once at each tells. The same set, the same parts. */
export function partition(merged: readonly SerialRange[]): SerialParts {
  const list: bigint[] = [];
  const ranges: SerialRange[] = [];
  const bitmaps: SerialRange[][] = [];
  for (const group of groupsOf(merged)) {
    const plain = group.reduce((sum, range) => sum + plainBytes(range), 0n);
    if (BITMAP_OVERHEAD + spanOf(group) / 8n < plain) bitmaps.push(group);
    else {
      for (const range of group) {
        if (sizeOf(range) > LISTED_MOST) ranges.push(range);
        else for (let serial = range.low; serial <= range.high; serial += 1n) list.push(serial);
      }
    }
  }
  return { list, ranges, bitmaps };
}

/** The number whose bit n stands for the serial `group[0].low` + n, big-endian. */
export function bitmapOf(group: readonly SerialRange[]): Buffer {
  const first = group[0]?.low ?? 0n;
  const bytes = Buffer.alloc(Number(spanOf(group) / 8n + 1n));
  for (const { low, high } of group) {
    for (let bit = Number(low - first); bit <= Number(high - first); bit += 1) {
      const at = bytes.length - 1 - (bit >> 3);
      bytes.writeUInt8(bytes.readUInt8(at) | (1 << (bit & 7)), at);
    }
  }
  return bytes;
}

/** The serials of a bitmap that begins at `offset`; null where one of them would not fit into 64 bits. */
export function rangesOfBitmap(offset: bigint, bitmap: Buffer): SerialRange[] | null {
  const serials: SerialRange[] = [];
  for (let bit = 0; bit < bitmap.length * 8; bit += 1) {
    const at = bitmap.length - 1 - (bit >> 3);
    if ((bitmap.readUInt8(at) & (1 << (bit & 7))) === 0) continue;
    const serial = offset + BigInt(bit);
    if (serial > MAX_UINT64) return null;
    serials.push({ low: serial, high: serial });
  }
  return mergeRanges(serials);
}

function groupsOf(merged: readonly SerialRange[]): SerialRange[][] {
  const groups: SerialRange[][] = [];
  for (const range of merged) {
    const group = groups.at(-1);
    const first = group?.[0];
    const last = group?.at(-1);
    const near =
      first !== undefined &&
      last !== undefined &&
      range.low - last.high <= GAP_MOST &&
      range.high - first.low < BITMAP_BITS_MOST;
    if (near && group !== undefined) group.push(range);
    else groups.push([range]);
  }
  return groups;
}

function plainBytes(range: SerialRange): bigint {
  const size = sizeOf(range);
  return size > LISTED_MOST ? RANGE_BYTES : size * SERIAL_BYTES;
}

function sizeOf({ low, high }: SerialRange): bigint {
  return high - low + 1n;
}

function spanOf(group: readonly SerialRange[]): bigint {
  return (group.at(-1)?.high ?? 0n) - (group[0]?.low ?? 0n);
}
