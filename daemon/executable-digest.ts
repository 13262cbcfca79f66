import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, readlink } from 'node:fs/promises';
import type { FileIdentity } from '../src/callers/caller.ts';
import { native } from '../src/unix/native.ts';
import type { FileVersion } from '../src/unix/system-calls.ts';
import { sameFile } from './caller-facts.ts';

const CACHED = 1_024;
/** Larger executables are not read at all: a sparse file of exabytes costs its owner nothing. */
const LARGEST = 512n * 1024n ** 2n;
/** Reads go through libuv's four threads: two are left to everybody else, whatever callers run. */
const AT_ONCE = 2;
const WAITING = 256;
/** Hashed in the event loop: a fraction of a millisecond each. */
const CHUNK = 256 * 1024;
/** A file changed this recently could change again within one tick of its clock, unseen in its times. */
const SETTLED_NS = 2_000_000_000n;

/** Digests of running executables, remembered by what changes when a file does. */
export interface ExecutableDigests {
  /** Lower-case hex. `stillThere` says, once the file is open, whether the pid still is the attested program. */
  digest(pid: number, running: FileIdentity, stillThere: () => boolean): Promise<string | null>;
}

export function createExecutableDigests(): ExecutableDigests {
  const known = new Map<string, string>();
  const inFlight = new Map<string, Promise<string | null>>();
  const queue: (() => void)[] = [];
  let running = 0;

  function remember(key: string, sha256: string): void {
    known.set(key, sha256);
    const oldest = known.keys().next();
    if (known.size > CACHED && oldest.done !== true) known.delete(oldest.value);
  }

  function recall(key: string): string | null {
    const sha256 = known.get(key);
    if (sha256 === undefined) return null;
    known.delete(key);
    known.set(key, sha256);
    return sha256;
  }

  async function inTurn<T>(work: () => Promise<T>): Promise<T | null> {
    if (running >= AT_ONCE) {
      if (queue.length >= WAITING) return null;
      await new Promise<void>((resolve) => queue.push(resolve));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      // The place is handed on, not given back, so that nobody slips in between.
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  function readOnce(key: string, exeLink: string, version: FileVersion): Promise<string | null> {
    const reading = inTurn(() => read(exeLink, version)).finally(() => inFlight.delete(key));
    inFlight.set(key, reading);
    return reading;
  }

  return {
    async digest(pid, expected, stillThere) {
      const exeLink = `/proc/${pid}/exe`;
      const version = native().version(exeLink);
      if (version === null || !sameFile(version, expected)) return null;
      // Before the memory is asked: device numbers are used again, by mounts that nobody vouches for too.
      if (!(await isVouchedFor(pid, version)) || !stillThere()) return null;
      const key = keyOf(version);
      // Another caller's read fails when that caller exits; ours is a fresh one then.
      const sha256 = recall(key) ?? (await inFlight.get(key)) ?? (await readOnce(key, exeLink, version));
      if (sha256 !== null && hasSettled(version)) remember(key, sha256);
      return stillThere() ? sha256 : null;
    },
  };
}

export const executableDigests = createExecutableDigests();

function keyOf(v: FileVersion): string {
  return `${v.dev}:${v.ino}:${v.size}:${v.mtimeNs}:${v.ctimeNs}`;
}

function hasSettled(version: FileVersion): boolean {
  return BigInt(Date.now()) * 1_000_000n - version.ctimeNs > SETTLED_NS;
}

/**
 * A file system that a user serves (FUSE) can show the daemon one content and the processor another, under
 * any times it likes; and in a user namespace anybody mounts anything over anything. A digest of such a file
 * proves nothing, so there is none.
 */
async function isVouchedFor(pid: number, version: FileVersion): Promise<boolean> {
  try {
    const [theirs, ours] = await Promise.all([readlink(`/proc/${pid}/ns/user`), readlink('/proc/self/ns/user')]);
    if (theirs !== ours) return false;
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
    const line = mounts.split('\n').find((entry) => entry.startsWith(`${version.mountId} `));
    const type = line?.split(' - ')[1]?.split(' ')[0];
    return type !== undefined && !type.startsWith('fuse');
  } catch {
    return false;
  }
}

/** The digest of exactly the version that was asked for; null where it is another by now, or changes under the read. */
async function read(exeLink: string, expected: FileVersion): Promise<string | null> {
  if (expected.size > LARGEST) return null;
  let file: FileHandle | null = null;
  try {
    file = await open(exeLink, 'r');
    if (!(await isVersion(file, expected))) return null;
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let left = expected.size; left > 0n; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK);
      if (bytesRead === 0) return null;
      hash.update(chunk.subarray(0, bytesRead));
      left -= BigInt(bytesRead);
    }
    return (await isVersion(file, expected)) ? hash.digest('hex') : null;
  } catch {
    return null;
  } finally {
    await file?.close();
  }
}

async function isVersion(file: FileHandle, expected: FileVersion): Promise<boolean> {
  const now = await file.stat({ bigint: true });
  return (
    sameFile(now, expected) &&
    now.size === expected.size &&
    now.ctimeNs === expected.ctimeNs &&
    now.mtimeNs === expected.mtimeNs
  );
}
