import type { promises as fs } from 'node:fs';
import { MAX_LINE_BYTES } from './line.ts';

type Handle = fs.FileHandle;

/** One line of a file, without its newline. */
export interface Line {
  /** At most `MAX_LINE_BYTES + 1` bytes: a longer line is cut there, so that it shows as too long. */
  readonly bytes: Buffer;
  /** Where it begins, in bytes from the start of the file. */
  readonly offset: number;
  /** False for the last line of a file where no newline ends it. */
  readonly ended: boolean;
}

const BLOCK = 256 * 1024;
const NEWLINE = 10;
const KEPT = MAX_LINE_BYTES + 1;

/**
 * The lines of a file from `start` on, a block at a time; the memory it takes does not depend on the file. Reads
 * up to what the file holds when it gets there, or to `end`.
 */
export async function* readLines(handle: Handle, start = 0, end = Number.MAX_SAFE_INTEGER): AsyncGenerator<Line[]> {
  let carry: Buffer = Buffer.alloc(0);
  let lineStart = start;
  let position = start;
  while (position < end) {
    const block = Buffer.allocUnsafe(Math.min(BLOCK, end - position));
    const { bytesRead } = await handle.read(block, 0, block.length, position);
    if (bytesRead === 0) break;
    const lines: Line[] = [];
    let from = 0;
    for (let at = block.indexOf(NEWLINE); at !== -1 && at < bytesRead; at = block.indexOf(NEWLINE, from)) {
      lines.push({ bytes: join(carry, block.subarray(from, at)), offset: lineStart, ended: true });
      carry = carry.subarray(0, 0);
      from = at + 1;
      lineStart = position + from;
    }
    carry = join(carry, block.subarray(from, bytesRead));
    position += bytesRead;
    if (lines.length > 0) yield lines;
  }
  if (carry.length > 0) yield [{ bytes: carry, offset: lineStart, ended: false }];
}

function join(carry: Buffer, rest: Buffer): Buffer {
  if (carry.length === 0) return rest.length > KEPT ? rest.subarray(0, KEPT) : rest;
  return Buffer.concat([carry, rest.subarray(0, Math.max(0, KEPT - carry.length))]);
}

/** The lines that end before `end`, last one first, a block at a time. `end` is behind a newline, or the file's end. */
export async function* readLinesBackward(handle: Handle, end: number): AsyncGenerator<Line[]> {
  // `tail` holds the bytes from the block's start up to the newline that ends the line being gathered.
  let tail: Buffer = Buffer.alloc(0);
  let tailEnd = end;
  let ended = false;
  let position = end;
  while (position > 0) {
    const size = Math.min(BLOCK, position);
    const block = Buffer.allocUnsafe(size);
    await readFully(handle, block, position - size);
    position -= size;
    const lines: Line[] = [];
    let to = size;
    while (to > 0) {
      const at = block.lastIndexOf(NEWLINE, to - 1);
      if (at === -1) break;
      const offset = position + at + 1;
      if (offset < tailEnd || ended) lines.push({ bytes: prepend(block.subarray(at + 1, to), tail), offset, ended });
      tail = tail.subarray(0, 0);
      tailEnd = position + at;
      ended = true;
      to = at;
    }
    tail = prepend(block.subarray(0, to), tail);
    if (lines.length > 0) yield lines;
  }
  if (tailEnd > 0 || ended) yield [{ bytes: tail, offset: 0, ended }];
}

function prepend(before: Buffer, tail: Buffer): Buffer {
  if (tail.length === 0) return before.length > KEPT ? before.subarray(0, KEPT) : before;
  if (tail.length >= KEPT) return tail;
  return Buffer.concat([before.subarray(0, KEPT), tail]).subarray(0, KEPT);
}

async function readFully(handle: Handle, into: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    // The writer cut a failed write back while we read: what is gone was never recorded.
    if (bytesRead === 0) {
      into.fill(0, done);
      return;
    }
    done += bytesRead;
  }
}

/** Which line (from 1) begins at `offset`. Reads the file up to there: for error messages only. */
export async function lineNumberAt(handle: Handle, offset: number): Promise<number> {
  let number = 1;
  const block = Buffer.allocUnsafe(BLOCK);
  for (let position = 0; position < offset; ) {
    const { bytesRead } = await handle.read(block, 0, Math.min(BLOCK, offset - position), position);
    if (bytesRead === 0) break;
    for (let at = block.indexOf(NEWLINE); at !== -1 && at < bytesRead; at = block.indexOf(NEWLINE, at + 1)) number += 1;
    position += bytesRead;
  }
  return number;
}
