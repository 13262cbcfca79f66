import { close, constants, promises as fs, ftruncate, open, read, statSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WardenError } from '../kernel/errors.ts';
import { unavailable } from './broken.ts';
import { CURRENT_LOG, type FileIdentity, identityOf, isSameFile, NEXT_LOG, rotatedName, syncFolder } from './files.ts';

/** How bytes reach the disk: one write that returns when they are durable. Tests put faults in. */
export interface LogIo {
  /** @returns how many bytes were written: fewer than asked for where the disk is full. */
  write(fd: number, bytes: Buffer, position: number): Promise<number>;
}

export const systemIo: LogIo = {
  write: (fd, bytes, position) =>
    new Promise((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, position, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    }),
};

const openFd = promisify(open) as (path: string, flags: number, mode?: number) => Promise<number>;
const closeFd = promisify(close) as (fd: number) => Promise<void>;
const truncateFd = promisify(ftruncate) as (fd: number, length: number) => Promise<void>;

/**
 * O_DSYNC: write and fdatasync in one call, which is one trip through the thread pool instead of two. The file is
 * not preallocated: a quarter would be gained, but readers would meet bytes that are no lines.
 */
const FLAGS = constants.O_RDWR | constants.O_DSYNC | constants.O_NOFOLLOW;

/** The end of the current file: `,"hash":"…"}` and the newline. */
const TAIL = 76;

/**
 * The current file of the ledger, open for writing. It knows up to where the file is good; whatever goes wrong,
 * nothing behind that is kept, and before the next write the file is opened anew and its end compared.
 */
export class LogFile {
  readonly #dir: string;
  readonly #path: string;
  readonly #io: LogIo;
  #fd: number;
  #identity: FileIdentity;
  #offset: number;
  #firstSeq: number | null;
  /** Hash of the last good record, hex; compared with the file's own end after a fault. */
  #lastHash: string;
  #suspect = false;

  private constructor(dir: string, io: LogIo, fd: number, identity: FileIdentity, start: LogStart) {
    this.#dir = dir;
    this.#path = join(dir, CURRENT_LOG);
    this.#io = io;
    this.#fd = fd;
    this.#identity = identity;
    this.#offset = start.offset;
    this.#firstSeq = start.firstSeq;
    this.#lastHash = start.lastHash;
  }

  /** Opens the current file, or makes it where a rotation was cut short. */
  static async open(dir: string, io: LogIo, start: LogStart): Promise<LogFile> {
    const path = join(dir, CURRENT_LOG);
    // Left by a rotation that did not come to its end; always empty.
    await fs.rm(join(dir, NEXT_LOG), { force: true });
    const fd = await openFd(path, FLAGS | constants.O_CREAT, 0o600);
    await syncFolder(dir);
    return new LogFile(dir, io, fd, identityOf(statSync(path, { bigint: true })), start);
  }

  get identity(): FileIdentity {
    return this.#identity;
  }

  /** Bytes of whole records in the current file. */
  get size(): number {
    return this.#offset;
  }

  /**
   * Appends whole lines, durably.
   * @throws WardenError ledger_unavailable; then nothing of them is in the file, or will be once it can be written
   */
  async append(bytes: Buffer): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const written = await this.#io.write(this.#fd, bytes.subarray(done), this.#offset + done);
      if (written === 0) throw unavailable('the ledger could not be written: the disk took no bytes');
      done += written;
    }
    this.#refuseStranger(this.#offset + bytes.length);
  }

  /** Takes the appended lines as good: the head is written. */
  accept(bytes: Buffer, firstSeq: number, lastHash: string): void {
    this.#offset += bytes.length;
    this.#firstSeq ??= firstSeq;
    this.#lastHash = lastHash;
  }

  /** After a fault: cuts the file back to its last good record, as far as the disk lets us. */
  async rollBack(): Promise<void> {
    this.#suspect = true;
    // A full disk lets us; one that went read-only does not, and then `ready` cuts later.
    await truncateFd(this.#fd, this.#offset).catch(() => undefined);
  }

  /**
   * Before a write: after a fault the pages' state is unknown, so the file is opened anew, cut back and its end
   * compared with what was last written.
   */
  async ready(): Promise<void> {
    if (!this.#suspect) return;
    this.#refuseStranger(null);
    const fd = await openFd(this.#path, FLAGS);
    try {
      await truncateFd(fd, this.#offset);
      if (this.#offset > 0) await this.#compareEnd(fd);
    } catch (thrown) {
      await closeFd(fd);
      throw thrown;
    }
    const old = this.#fd;
    this.#fd = fd;
    this.#suspect = false;
    await closeFd(old).catch(() => undefined);
  }

  async #compareEnd(fd: number): Promise<void> {
    const end = Buffer.alloc(TAIL);
    await new Promise<void>((resolve, reject) => {
      read(fd, end, 0, TAIL, this.#offset - TAIL, (error) => (error === null ? resolve() : reject(error)));
    });
    if (end.toString('latin1') !== `,"hash":"${this.#lastHash}"}\n`) {
      throw unavailable(
        `the end of ${CURRENT_LOG} is not what was written there`,
        undefined,
        'see `warden ledger verify`',
      );
    }
  }

  /** The name must still lead to the file that we write, and nobody else may have written to it. */
  #refuseStranger(expectedSize: number | null): void {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || !isSameFile(identityOf(stats), this.#identity)) {
      throw unavailable(
        `${CURRENT_LOG} was ${stats === undefined ? 'removed' : 'replaced'} while the daemon runs`,
        undefined,
        'put the very file back, or stop the daemon and accept the break: `warden ledger accept --reason …`',
      );
    }
    if (expectedSize !== null && stats.size !== BigInt(expectedSize)) {
      throw unavailable(
        `${CURRENT_LOG} was written by someone else while the daemon runs`,
        undefined,
        'see `warden ledger verify`',
      );
    }
  }

  /**
   * Names the full file for its first record and begins an empty one. Whatever fails leaves the current file in
   * use: rotation is tried again later.
   */
  async rotate(): Promise<void> {
    if (this.#firstSeq === null) return;
    const next = join(this.#dir, NEXT_LOG);
    const rotated = join(this.#dir, rotatedName(this.#firstSeq));
    await fs.rm(next, { force: true });
    if (statSync(rotated, { throwIfNoEntry: false }) !== undefined) throw unavailable(`${rotated} is there already`);
    const fd = await openFd(next, FLAGS | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await fs.rename(this.#path, rotated);
      await fs.rename(next, this.#path).catch(async (cause) => {
        await fs.rename(rotated, this.#path);
        throw cause;
      });
    } catch (thrown) {
      await closeFd(fd);
      throw thrown;
    }
    const old = this.#fd;
    this.#fd = fd;
    this.#identity = identityOf(statSync(this.#path, { bigint: true }));
    this.#offset = 0;
    this.#firstSeq = null;
    await closeFd(old).catch(() => undefined);
    await syncFolder(this.#dir);
  }

  async close(): Promise<void> {
    await closeFd(this.#fd);
  }
}

export interface LogStart {
  readonly offset: number;
  readonly firstSeq: number | null;
  readonly lastHash: string;
}

/** Whether this failure, or the one beneath it, is a full disk or quota. */
export function isFullDisk(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' || (thrown instanceof WardenError && isFullDisk(thrown.cause));
}

/** A file system error in the ledger's words. */
export function asUnavailable(thrown: unknown): WardenError {
  if (thrown instanceof WardenError) return thrown;
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  if (isFullDisk(thrown)) return unavailable('the disk of the ledger is full', thrown);
  const named = code === undefined ? '' : ` (${code})`;
  return unavailable(`the ledger could not be written${named}`, thrown, 'look at the disk of the state folder');
}
