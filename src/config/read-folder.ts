import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ancestorFault, type FileState, fileFault, folderFault, MAX_FILE_BYTES } from './file-safety.ts';
import { wholeFile } from './problems.ts';
import type { ConfigProblem } from './snapshot.ts';

export const WARDEN_FILE = 'warden.yaml';
export const INVENTORY_FILE = 'inventory.yaml';
export const ROUTES_FILE = 'routes.yaml';

/** A file's bytes and their SHA-256 in hex. */
export interface ReadFile {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

export interface FolderContent {
  /** Null: there is no such file. */
  readonly warden: ReadFile | null;
  readonly inventory: ReadFile | null;
  readonly routes: ReadFile | null;
  /** Files that may not be believed or could not be read; they are null above. */
  readonly problems: readonly ConfigProblem[];
}

/** Read in pieces: hashing 64 MiB at once would hold the event loop. */
const PIECE_BYTES = 256 * 1024;
const TORN_READ_TRIES = 5;

/** Reads the config files of a folder, refusing what others can write. A missing folder is an empty one. */
export async function readFolder(dir: string, daemonUid: number): Promise<FolderContent> {
  const problems: ConfigProblem[] = [];
  let real: string;
  try {
    real = await realpath(dir);
  } catch (thrown) {
    if (!isMissing(thrown)) problems.push(unreadable('.', thrown));
    return { warden: null, inventory: null, routes: null, problems };
  }
  const safe = new Map<string, ConfigProblem | null>();
  const fault = await checkFolder('.', real, daemonUid, safe);
  if (fault !== null) return { warden: null, inventory: null, routes: null, problems: [fault] };
  const read = async (file: string): Promise<ReadFile | null> => {
    const result = await readConfigFile(real, file, daemonUid, safe);
    if (result === null || 'bytes' in result) return result;
    problems.push(result);
    return null;
  };
  const warden = await read(WARDEN_FILE);
  const inventory = await read(INVENTORY_FILE);
  const routes = await read(ROUTES_FILE);
  return { warden, inventory, routes, problems };
}

async function readConfigFile(
  dir: string,
  file: string,
  daemonUid: number,
  safe: Map<string, ConfigProblem | null>,
): Promise<ReadFile | ConfigProblem | null> {
  const path = join(dir, file);
  let handle: FileHandle | null = null;
  try {
    const target = await realpath(path);
    const folder = dirname(target);
    const fault = folder === dir ? null : await checkFolder(file, folder, daemonUid, safe);
    if (fault !== null) return fault;
    // O_NONBLOCK: opening a fifo must not wait for its writer.
    handle = await open(target, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY);
    return (
      (await readWhole(handle, file, path, daemonUid)) ??
      wholeFile(file, 'changed while it was read', 'the file once its writer is done')
    );
  } catch (thrown) {
    return isMissing(thrown) ? null : unreadable(file, thrown);
  } finally {
    await handle?.close();
  }
}

// Null: it changed under every try.
async function readWhole(
  handle: FileHandle,
  file: string,
  path: string,
  daemonUid: number,
): Promise<ReadFile | ConfigProblem | null> {
  for (let tries = 0; tries < TORN_READ_TRIES; tries += 1) {
    const before = await handle.stat();
    const fault = fileFault(file, path, stateOf(before), daemonUid);
    if (fault !== null) return fault;
    const bytes = new Uint8Array(Math.min(before.size, MAX_FILE_BYTES));
    const hash = createHash('sha256');
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
      if (bytesRead === 0) break;
      hash.update(bytes.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    const after = await handle.stat();
    if (
      at === before.size &&
      after.size === before.size &&
      after.mtimeMs === before.mtimeMs &&
      after.ctimeMs === before.ctimeMs
    ) {
      return { bytes, hash: hash.digest('hex') };
    }
  }
  return null;
}

async function checkFolder(
  name: string,
  path: string,
  daemonUid: number,
  safe: Map<string, ConfigProblem | null>,
): Promise<ConfigProblem | null> {
  const known = safe.get(path);
  if (known !== undefined) return known;
  let fault: ConfigProblem | null = folderFault(name, path, stateOf(await stat(path)), daemonUid);
  for (let up = dirname(path); fault === null; up = dirname(up)) {
    fault = ancestorFault(up, stateOf(await stat(up)));
    if (up === dirname(up)) break;
  }
  // Kubernetes mounts config maps 0777 and read-only: what cannot be written by anyone need not be 0755.
  if (fault !== null && (await isReadOnlyMount(path))) fault = null;
  safe.set(path, fault);
  return fault;
}

async function isReadOnlyMount(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (thrown) {
    return codeOf(thrown) === 'EROFS';
  }
}

function stateOf(stats: Stats): FileState {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  return { kind, uid: stats.uid, mode: stats.mode, size: stats.size };
}

function isMissing(thrown: unknown): boolean {
  return codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR';
}

function unreadable(file: string, thrown: unknown): ConfigProblem {
  const code = codeOf(thrown) ?? 'unknown error';
  const hint =
    code === 'EACCES'
      ? "read permission for the daemon's user"
      : code === 'ELOOP'
        ? 'a link that ends at a file'
        : 'a file that can be read';
  return wholeFile(file, `cannot be read (${code})`, hint);
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
