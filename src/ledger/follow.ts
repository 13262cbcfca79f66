import { promises as fs } from 'node:fs';
import { CURRENT_LOG, isMissing, listLedgerFiles } from './files.ts';
import { readLines, readLinesBackward } from './lines.ts';
import { leadsTo } from './open-files.ts';
import { type LedgerFilter, type LedgerLine, lineMatcher } from './query.ts';

export interface FollowOptions {
  readonly filter: LedgerFilter;
  readonly signal: AbortSignal;
  /** Begin behind this record; absent: behind the last that is there. */
  readonly after?: number;
  /** The last record that is durable, where the writer is in this process: nothing later is shown. */
  readonly durable?: () => number;
  /** Calls the listener when there may be more. Without it the file is looked at four times a second. */
  readonly wake?: (listener: () => void) => () => void;
}

const POLL_MS = 250;

/**
 * New records as they come, over rotations, until the signal aborts. Holds one block of the file at a time: a
 * reader that is slow finds what it missed in the file.
 */
export async function* followLedger(dir: string, options: FollowOptions): AsyncGenerator<LedgerLine> {
  const { signal } = options;
  const bell = new Bell(options);
  const match = lineMatcher(options.filter);
  const number = lineMatcher({});
  let after = options.after ?? (await lastSeq(dir));
  let handle: fs.FileHandle | null = null;
  let offset = 0;
  try {
    while (!signal.aborted) {
      bell.reset();
      handle ??= await openAt(dir, after);
      let progressed = false;
      if (handle !== null) {
        // Asked before reading: what is behind the end now is there when the name already leads elsewhere.
        const isOld = !(await leadsTo(dir, handle));
        reading: for await (const lines of readLines(handle, offset)) {
          for (const line of lines) {
            const record = line.ended ? number(line.bytes) : null;
            const seq = record === null ? null : Number(record.seq);
            // Not the next block either: by then what was passed over here may be durable, and would be missed.
            if (!line.ended || (seq !== null && seq > (options.durable?.() ?? seq))) break reading;
            offset = line.offset + line.bytes.length + 1;
            if (seq === null || seq <= after) continue;
            after = seq;
            progressed = true;
            const found = match(line.bytes);
            if (found !== null) yield found;
            if (signal.aborted) return;
          }
        }
        if (isOld && !progressed) {
          await handle.close();
          handle = await openAt(dir, after);
          offset = 0;
          progressed = handle !== null && !(await isEmpty(handle));
        }
      }
      if (!progressed) await bell.wait();
    }
  } finally {
    bell.stop();
    await handle?.close();
  }
}

/** The file that holds the record behind `after`: a rotated one where it fell behind, else the current one. */
async function openAt(dir: string, after: number): Promise<fs.FileHandle | null> {
  const files = await listLedgerFiles(dir);
  let chosen = files.find((file) => file.name === CURRENT_LOG) ?? null;
  const rotated = files.filter((file) => file.name !== CURRENT_LOG);
  for (let index = rotated.length - 1; index >= 0; index -= 1) {
    const file = rotated[index];
    if (file === undefined) break;
    const handle = await fs.open(file.path);
    const last = await lastSeqOf(handle);
    await handle.close();
    if (last <= after) break;
    chosen = file;
  }
  if (chosen === null) return null;
  try {
    return await fs.open(chosen.path);
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

async function isEmpty(handle: fs.FileHandle): Promise<boolean> {
  return (await handle.stat()).size === 0;
}

async function lastSeq(dir: string): Promise<number> {
  const files = await listLedgerFiles(dir);
  for (const file of files.reverse()) {
    const handle = await fs.open(file.path);
    const last = await lastSeqOf(handle);
    await handle.close();
    if (last > 0) return last;
  }
  return 0;
}

async function lastSeqOf(handle: fs.FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const match = lineMatcher({});
  for await (const lines of readLinesBackward(handle, size)) {
    for (const line of lines) {
      const found = line.ended ? match(line.bytes) : null;
      if (found !== null) return Number(found.seq);
    }
  }
  return 0;
}

/** Rings when there may be more, or when it is over. One ring is remembered between two waits. */
class Bell {
  #rung = false;
  #ring: (() => void) | null = null;
  readonly #stop: () => void;

  constructor({ signal, wake }: FollowOptions) {
    const ring = (): void => {
      this.#rung = true;
      this.#ring?.();
    };
    signal.addEventListener('abort', ring);
    let silence: () => void;
    if (wake === undefined) {
      const timer = setInterval(ring, POLL_MS);
      silence = () => clearInterval(timer);
    } else silence = wake(ring);
    this.#stop = () => {
      silence();
      signal.removeEventListener('abort', ring);
    };
  }

  reset(): void {
    this.#rung = false;
  }

  wait(): Promise<void> {
    if (this.#rung) return Promise.resolve();
    return new Promise((resolve) => {
      this.#ring = () => {
        this.#ring = null;
        resolve();
      };
    });
  }

  stop(): void {
    this.#stop();
  }
}
