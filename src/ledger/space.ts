import { promises as fs } from 'node:fs';

const MAX_RESERVE = 16 * 1024 * 1024;
const SHARE = 0.05;
const REFRESH_MS = 250;

/** Bytes kept free for records of releases, on a file system of `total` bytes. */
export function reserveFor(total: number): number {
  return Math.min(MAX_RESERVE, Math.floor(total * SHARE));
}

/** Whether the disk of the ledger has less free space than is reserved for releases. */
export class SpaceWatch {
  readonly #dir: string;
  #isShort = false;
  #asked = 0;
  #pending: Promise<void> | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  /** A write found the disk full: known at once, until the file system says otherwise. */
  markShort(): void {
    this.#isShort = true;
  }

  /** Asks the file system again where the last answer is a quarter of a second old; does not wait for it. */
  glance(now: number): void {
    if (now - this.#asked < REFRESH_MS || this.#pending !== null) return;
    this.#asked = now;
    void this.refresh();
  }

  /** Asks now. A file system that does not answer leaves the last answer in force. */
  refresh(): Promise<void> {
    this.#pending ??= fs
      .statfs(this.#dir)
      .then(({ bavail, blocks, bsize }) => {
        this.#isShort = bavail * bsize < reserveFor(blocks * bsize);
      })
      .catch(() => undefined)
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }
}
