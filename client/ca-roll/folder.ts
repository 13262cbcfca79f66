import { chownSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { checkFolder } from '../../src/config/check.ts';
import { INVENTORY_FILE, ROUTES_FILE, WARDEN_FILE } from '../../src/config/read-folder.ts';
import type { ConfigProblem, Snapshot } from '../../src/config/snapshot.ts';
import { usageError } from '../args.ts';
import { writeAtomically } from '../atomic-file.ts';
import { whyFile } from '../bounded-file.ts';
import { checkAuthorityKeys } from '../check-authority.ts';
import { daemonUidOf } from '../config-offline.ts';
import { type WrittenCa, withCa } from './edit-ca.ts';

/** A config folder whose `ca:` is to be changed. */
export class CaFolder {
  readonly dir: string;
  readonly text: string;
  readonly ca: WrittenCa;

  /** @throws WardenError invalid_request */
  constructor(dir: string) {
    this.dir = dir;
    const path = join(dir, WARDEN_FILE);
    try {
      // Replacing a link by a file would take the config away from whatever manages it.
      if (lstatSync(path).isSymbolicLink()) {
        throw usageError(`${path} is a link: something else manages this config`, 'write ca: there');
      }
      this.text = readFileSync(path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && typeof error.code === 'string' && error.name !== 'WardenError') {
        throw usageError(`cannot read ${path}: ${whyFile(error)}`, 'name another folder with --config');
      }
      throw error;
    }
    const { ca } = (parseDocument(this.text).toJS() ?? {}) as { ca?: Partial<WrittenCa> };
    this.ca = { key: ca?.key ?? 'ca_ed25519', next: ca?.next ?? null, retired: ca?.retired ?? [] };
  }

  /** The absolute path of a key setting; null where it names no file. */
  pathOf(setting: string): string | null {
    return /^(?:credential|agent):/.test(setting) ? null : resolve(this.dir, setting);
  }

  /** What the daemon would say of the folder with these keys; nothing is written to it. */
  async tried(ca: WrittenCa): Promise<{ config: Snapshot | null; problems: readonly ConfigProblem[] }> {
    const aside = mkdtempSync(join(tmpdir(), 'warden-ca-roll-'));
    try {
      writeFileSync(join(aside, WARDEN_FILE), withCa(this.text, ca), { mode: 0o600 });
      for (const name of [INVENTORY_FILE, ROUTES_FILE]) {
        const there = statSync(join(this.dir, name), { throwIfNoEntry: false });
        if (there !== undefined) writeFileSync(join(aside, name), readFileSync(join(this.dir, name)), { mode: 0o600 });
      }
      const { snapshot, problems } = await checkFolder(aside, {
        daemonUid: process.getuid?.() ?? 0,
        pathsIn: this.dir,
      });
      if (snapshot === null) return { config: null, problems };
      const keys = await checkAuthorityKeys(snapshot, daemonUidOf(this.dir));
      return { config: keys.problems.length === 0 ? snapshot : null, problems: keys.problems };
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  }

  /** Puts the keys in force: the daemon takes the file up by itself. */
  write(ca: WrittenCa): void {
    const path = join(this.dir, WARDEN_FILE);
    const { mode, uid, gid } = statSync(path);
    writeAtomically({ path, bytes: withCa(this.text, ca), mode: mode & 0o777, replace: true, durable: true });
    giveTo(path, uid, gid);
  }

  /** A new file beside the others, owned as warden.yaml is. Nothing is overwritten. */
  add(name: string, bytes: string | Buffer, mode: number): void {
    const { uid, gid } = statSync(join(this.dir, WARDEN_FILE));
    const path = join(this.dir, name);
    writeAtomically({ path, bytes, mode, replace: false, durable: true });
    giveTo(path, uid, gid);
  }
}

/** Root edits the config of the daemon's user. */
function giveTo(path: string, uid: number, gid: number): void {
  const now = statSync(path);
  if (now.uid !== uid || now.gid !== gid) chownSync(path, uid, gid);
}
