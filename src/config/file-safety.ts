import { wholeFile } from './problems.ts';
import type { ConfigProblem } from './snapshot.ts';

/** The parts of stat(2) that the rules look at. */
export interface FileState {
  readonly kind: 'file' | 'folder' | 'other';
  readonly uid: number;
  readonly mode: number;
  readonly size: number;
}

export const MAX_FILE_BYTES = 64 * 1024 * 1024;

const STICKY = 0o1000;

/** Whether a config file may be believed: regular, and written by none but root or the daemon's user. */
export function fileFault(file: string, path: string, state: FileState, daemonUid: number): ConfigProblem | null {
  if (state.kind !== 'file') return wholeFile(file, 'not a regular file', 'a regular file, or a link to one');
  const writer = writerFault(file, path, state, daemonUid);
  if (writer !== null) return writer;
  if (state.size > MAX_FILE_BYTES) return wholeFile(file, 'larger than 64 MiB', 'fewer entries');
  return null;
}

/** The same of a folder that holds config files. */
export function folderFault(folder: string, path: string, state: FileState, daemonUid: number): ConfigProblem | null {
  if (state.kind !== 'folder') return wholeFile(folder, 'not a folder', 'the folder that holds warden.yaml');
  return writerFault(folder, path, state, daemonUid);
}

/** Of a folder further up: it need not be ours, but whoever can rename in it can put another config there. */
export function ancestorFault(path: string, state: FileState): ConfigProblem | null {
  if ((state.mode & 0o002) === 0 || (state.mode & STICKY) !== 0) return null;
  return wholeFile(path, 'a folder above the config is writable by everyone', `chmod o-w ${quoted(path)}`);
}

function writerFault(name: string, path: string, state: FileState, daemonUid: number): ConfigProblem | null {
  if (state.uid !== 0 && state.uid !== daemonUid) {
    return wholeFile(
      name,
      `owned by uid ${state.uid}, neither root nor the daemon's user (uid ${daemonUid})`,
      `chown ${daemonUid} ${quoted(path)}`,
    );
  }
  if ((state.mode & 0o022) !== 0) {
    const who = (state.mode & 0o002) !== 0 ? ((state.mode & 0o020) !== 0 ? 'group and others' : 'others') : 'its group';
    return wholeFile(name, `writable by ${who}`, `chmod go-w ${quoted(path)}`);
  }
  return null;
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  const clean = path.replace(/[^\x20-\x7e]/g, '?');
  return /^[A-Za-z0-9_./@:+-]+$/.test(clean) ? clean : `'${clean.replaceAll("'", "'\\''")}'`;
}
