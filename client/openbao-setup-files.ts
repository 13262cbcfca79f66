import { chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OpenBaoSettings } from '../src/config/snapshot.ts';
import type { Change } from '../src/openbao/setup/compare.ts';
import type { Operator } from '../src/openbao/setup/operator.ts';
import { checkWritable, writeAtomically } from './atomic-file.ts';
import { readBounded } from './bounded-file.ts';

/** What was done to a file of the daemon's. */
export interface FileChange {
  readonly path: string;
  readonly what: string;
  readonly action: 'create' | 'keep' | 'conflict';
}

const CA_KEY = 'public key of the CA, pinned';
const ROLE_ID = 'role id';
const SECRET_ID = 'secret id';

/** The files that the daemon needs, as far as they can be judged without OpenBao: whether they are there. */
export function wantedFiles({ ssh, login }: OpenBaoSettings): FileChange[] {
  const files: [path: string, what: string][] = [[ssh.ca_public_key, CA_KEY]];
  if (login?.method === 'approle') files.push([login.role_id_file, ROLE_ID], [login.secret_id_file, SECRET_ID]);
  return files.map(([path, what]) => ({ path, what, action: existsSync(path) ? 'keep' : 'create' }));
}

/** The CA's public key in its file. One that differs is never replaced: it says whom the daemon believes. */
export async function pinCa(
  operator: Operator,
  { ssh }: OpenBaoSettings,
  changes: readonly Change[],
  there: boolean,
): Promise<FileChange> {
  const path = ssh.ca_public_key;
  const what = CA_KEY;
  const unmade = changes.some(({ wanted, action }) => wanted.kind === 'ca' && action === 'create') && !there;
  const key = unmade ? null : await operator.caKey(ssh.mount);
  if (!existsSync(path)) {
    if (there && key !== null) write(path, `${key} openbao ${ssh.mount}\n`, 0o644);
    return { path, what, action: 'create' };
  }
  const pinned = readBounded(path, 'the pinned key', 65_536).toString('utf8');
  const same = key !== null && blobOf(pinned) === blobOf(key);
  return { path, what, action: same ? 'keep' : 'conflict' };
}

/** Role id and secret id in their files. A secret id that is there stays: nobody can ask OpenBao which one it is. */
export async function appRoleFiles(
  operator: Operator,
  { login }: OpenBaoSettings,
  name: string,
  changes: readonly Change[],
  there: boolean,
): Promise<FileChange[]> {
  if (login?.method !== 'approle') return [];
  const made = there || changes.every(({ wanted, action }) => wanted.kind !== 'approle' || action !== 'create');
  const [roleFile, secretFile] = [login.role_id_file, login.secret_id_file];
  const files: FileChange[] = [];
  const roleId = made ? await operator.roleId(login.mount, name) : null;
  if (!existsSync(roleFile)) {
    if (there && roleId !== null) write(roleFile, `${roleId}\n`, 0o600);
    files.push({ path: roleFile, what: ROLE_ID, action: 'create' });
  } else {
    const same = readBounded(roleFile, 'the role id', 4096).toString('utf8').trim() === roleId;
    files.push({ path: roleFile, what: ROLE_ID, action: same ? 'keep' : 'conflict' });
  }
  const secretIs = existsSync(secretFile);
  if (!secretIs && there) write(secretFile, `${await operator.newSecretId(login.mount, name)}\n`, 0o600);
  files.push({ path: secretFile, what: SECRET_ID, action: secretIs ? 'keep' : 'create' });
  return files;
}

/**
 * The folders of files that are to come, and that they can be written there: before anything is made in OpenBao, since
 * a secret id that found no place would be lost. @throws WardenError invalid_request
 */
export function makeFolders(files: readonly FileChange[]): void {
  for (const { path, action } of files) {
    if (action !== 'create') continue;
    const folder = dirname(path);
    const parent = dirname(folder);
    // One level, beside what is there: a longer path that leads nowhere is a slip of the pen.
    if (!existsSync(folder) && existsSync(parent)) {
      mkdirSync(folder, { mode: 0o700 });
      giveToOwner(folder);
    }
    checkWritable(path);
  }
}

/** For the daemon's user, whom the folder belongs to. */
function write(path: string, text: string, mode: number): void {
  writeAtomically({ path, bytes: text, mode, replace: false, durable: true });
  giveToOwner(path);
}

/** Made by root: whose the folder is, theirs is what is in it. */
function giveToOwner(path: string): void {
  const { uid, gid } = statSync(dirname(path));
  if (process.getuid?.() === 0 && uid !== 0) chownSync(path, uid, gid);
}

function blobOf(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(' ');
}
