import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { type FileIdentity, identityOf, isSameFile } from './files.ts';
import { encodeHead, type Head, SLOT_BYTES } from './head.ts';
import type { LedgerKey } from './key.ts';

/**
 * Where the head is kept: `signatures.head` and, where one is given, the anchor outside the state folder. Writes
 * are small, in place and synchronous: into the page cache they take microseconds, and no record is answered for
 * before its head is there. Neither is fsynced with each commit: a head that a power cut sets back is behind the
 * log, never ahead of it, and that is no break.
 */
export class HeadFile {
  readonly #path: string;
  readonly #anchorPath: string | null;
  readonly #key: LedgerKey;
  #fd: number;
  #anchorFd: number | null;
  #identity: FileIdentity;
  #slot: 0 | 1;

  private constructor(path: string, anchorPath: string | null, key: LedgerKey, slot: 0 | 1) {
    this.#path = path;
    this.#anchorPath = anchorPath;
    this.#key = key;
    this.#slot = slot;
    this.#fd = openForWriting(path, 2 * SLOT_BYTES);
    this.#identity = identityAt(path) ?? { dev: '', ino: '', born: '' };
    this.#anchorFd = anchorPath === null ? null : openForWriting(anchorPath, SLOT_BYTES);
  }

  /** `slot` is the one that holds the newest head: the other is written first. */
  static open(path: string, anchorPath: string | null, key: LedgerKey, slot: 0 | 1): HeadFile {
    return new HeadFile(path, anchorPath, key, slot);
  }

  /** Signs, ahead of the write: done while the log's own bytes are on their way to the disk. */
  prepare(head: Head): Buffer {
    return encodeHead(head, this.#key);
  }

  write(slot: Buffer): void {
    const next = this.#slot === 0 ? 1 : 0;
    writeFully(this.#fd, slot, next * SLOT_BYTES);
    this.#slot = next;
    if (this.#anchorFd !== null) writeFully(this.#anchorFd, slot, 0);
  }

  /** Makes both durable: at start, after a rotation and at the end. */
  sync(): void {
    fsyncSync(this.#fd);
    if (this.#anchorFd !== null) fsyncSync(this.#anchorFd);
  }

  /** False where a file was not where it was opened, and was made again: the next write fills it. */
  heal(): boolean {
    const now = identityAt(this.#path);
    const headThere = now !== null && isSameFile(now, this.#identity);
    if (!headThere) {
      const fd = openForWriting(this.#path, 2 * SLOT_BYTES);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#identity = identityAt(this.#path) ?? this.#identity;
    }
    const anchorThere = this.#anchorPath === null || identityAt(this.#anchorPath) !== null;
    if (!anchorThere) this.#restoreAnchor();
    return headThere && anchorThere;
  }

  #restoreAnchor(): void {
    if (this.#anchorPath === null || this.#anchorFd === null) return;
    try {
      const fd = openForWriting(this.#anchorPath, SLOT_BYTES);
      closeSync(this.#anchorFd);
      this.#anchorFd = fd;
    } catch {
      // Its folder went, as /run/user/UID does at logout: the anchor is a second net, no reason to release nothing.
    }
  }

  close(): void {
    closeSync(this.#fd);
    if (this.#anchorFd !== null) closeSync(this.#anchorFd);
  }
}

/** Opens, and makes room at once: a head file that is shorter than its two slots was cut. */
function openForWriting(path: string, bytes: number): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (fstatSync(fd).size < bytes) ftruncateSync(fd, bytes);
  return fd;
}

function identityAt(path: string): FileIdentity | null {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : identityOf(stats);
}

function writeFully(fd: number, bytes: Buffer, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** What a file of slots holds; null where there is none. */
export function readHeadBytes(path: string): Buffer | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
  try {
    // One slot more than there may be: a longer file shows as damaged.
    const content = Buffer.alloc(3 * SLOT_BYTES);
    return content.subarray(0, readSync(fd, content, 0, content.length, 0));
  } finally {
    closeSync(fd);
  }
}
