import { createHash, type Hash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, writeSync } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WardenError } from '../kernel/errors.ts';
import { sealedFiles } from '../unix/sealed-file.ts';
import type { CommandFiles, PinnedFile } from './command-files.ts';
import { isHeldByRoot } from './held-by-root.ts';

const MAX_BYTES = 512 * 1024 * 1024;
/** Of what is copied into memory. */
const MAX_COPIED_BYTES = 256 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** Reads go through libuv's four threads, and copies into memory: two at once, whatever callers run. */
const AT_ONCE = 2;
/** A pipe that somebody puts in a program's place would hold its reader for ever. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

const waiting: (() => void)[] = [];
let reading = 0;
/** Copies in use, by their digest: commands of one program share one. */
const copies = new Map<string, { readonly fd: number; users: number }>();

/** With the daemon's own eyes. */
export const realCommandFiles: CommandFiles = {
  place: (path) =>
    realpath(dirname(path)).then(
      (folder) => join(folder, basename(path)),
      () => path,
    ),
  pin: (path) => inTurn(() => pin(path)),
};

async function pin(path: string): Promise<PinnedFile> {
  let file: FileHandle | null = null;
  let written: number | null = null;
  try {
    file = await open(path, READING);
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw unreadable(path, 'it is no file');
    const held = await isHeldByRoot(path, stats);
    const most = held ? MAX_BYTES : MAX_COPIED_BYTES;
    if (stats.size > most) throw unreadable(path, 'it is too big');
    if (!held) written = sealedFiles().create(`sealed copy of ${basename(path)}`);
    const hash = createHash('sha256');
    await readInto(file, path, most, hash, written);
    const sha256 = hash.digest('hex');
    const copy = written;
    written = null;
    const fd = copy === null ? null : keep(sha256, copy);
    return {
      sha256,
      copy: fd,
      unchanged: async () => sameBytes(stats, await stat(path, { bigint: true }).catch(() => null)),
      close: once(() => {
        if (fd !== null) leave(sha256);
      }),
    };
  } catch (cause) {
    throw cause instanceof WardenError ? cause : unreadable(path, 'the daemon may not read or copy it', cause);
  } finally {
    if (written !== null) closeSync(written);
    await file?.close();
  }
}

/** To its end, which may come later than its size says, and never where somebody goes on writing. */
async function readInto(file: FileHandle, path: string, most: number, hash: Hash, copy: number | null): Promise<void> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let total = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
    if (bytesRead === 0) return;
    const bytes = chunk.subarray(0, bytesRead);
    if (copy !== null && total === 0) checkInterpreter(path, bytes);
    total += bytesRead;
    if (total > most) throw unreadable(path, 'it is too big');
    hash.update(bytes);
    if (copy !== null) for (let at = 0; at < bytesRead; ) at += writeSync(copy, bytes, at);
  }
}

/** Node looks for the file behind the descriptor that it is given by its name, and would end with a riddle. */
function checkInterpreter(path: string, start: Buffer): void {
  if (!/^#!.*\bnode\b/.test(start.subarray(0, 256).toString('latin1'))) return;
  throw new WardenError('command_not_allowed', `${path} is pinned, and others than root may change it`, {
    hint: 'a script for node cannot run from a copy: let root own it and every folder above it, or pin no digest',
  });
}

/** Takes `written` over. */
function keep(sha256: string, written: number): number {
  const known = copies.get(sha256);
  if (known !== undefined) {
    closeSync(written);
    known.users += 1;
    return known.fd;
  }
  const fd = sealedFiles().seal(written);
  copies.set(sha256, { fd, users: 1 });
  return fd;
}

function leave(sha256: string): void {
  const known = copies.get(sha256);
  if (known === undefined || --known.users > 0) return;
  copies.delete(sha256);
  closeSync(known.fd);
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (reading >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else reading += 1;
  try {
    return await work();
  } finally {
    // The place is handed on, not given back, so that nobody slips in between.
    const next = waiting.shift();
    if (next === undefined) reading -= 1;
    else next();
  }
}

/** The inode's ctime moves with every write and rename, and nobody but the superuser can set it back. */
function sameBytes(a: BigIntStats, b: BigIntStats | null): boolean {
  return (
    b !== null &&
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  );
}

function unreadable(path: string, why: string, cause?: unknown): WardenError {
  return new WardenError('command_not_allowed', `the digest of ${path} cannot be had: ${why}`, { cause });
}
