import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/**
 * Stands in every secret value and token that a test makes up. Of each run of the tests its own, since it comes from the
 * name of the run's temporary folder (`run-folder.ts`); in no environment, where it would be found at once.
 * It is looked for in each daemon while it lives and when it stops, in every temporary folder before it is removed, and
 * in all that is left after the last test.
 */
const MARK = `canary-${createHash('sha256').update(tmpdir()).digest('hex').slice(0, 10)}`;

export function secretValue(name: string): string {
  return `${MARK}-${name}`;
}

/** Whether anything of the tests' secrets stands in a text as it is: for tests that look by themselves. */
export function holdsSecret(text: string): boolean {
  return text.includes(MARK);
}

/** The mark as it is and in the forms in which it would hide. */
const FORMS: readonly (readonly [string, readonly Buffer[]])[] = [
  ['a secret value', [Buffer.from(MARK)]],
  ['a secret value, in base64', [0, 1, 2].map((offset) => Buffer.from(base64At(offset)))],
  ['a secret value, in hex', [hexOf(MARK), hexOf(MARK).toUpperCase()].map((text) => Buffer.from(text))],
];

/** What OpenBao's own tokens look like: 24 characters, digits among them, so that no name in a program is one. */
const TOKEN = /\b(?:hv)?s\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}\b|\bhv[sb]\.[A-Za-z0-9_-]{60,}/;

/** Where secrets may be, by what the place is for. Paths below the run's folder. */
export const LEGAL: readonly (readonly [string, RegExp])[] = [
  ["OpenBao's own storage", /^warden-bao-[^/]+\/data\//],
  ["PostgreSQL's own storage", /^warden-postgres-[^/]+\/data\//],
  ['credential files of a login, written by a test', /^warden-bao-files-[^/]+\//],
  ['a credential file that a test put into a config folder', /^warden-test-[^/]+\/config\/(?:token|secret_id|secret)$/],
  ['a token file that a test put beside a config folder', /^warden-test-[^/]+\/(?:daemon\.token|token)$/],
];

/** Bytes that are looked at in one go, and how many of them once more with the next. */
const CHUNK = 4 * 1024 * 1024;
const OVERLAP = 256;
const buffer = Buffer.allocUnsafeSlow(CHUNK);
/** Nothing larger is looked through: a file of a terabyte that takes no room on the disk would be read for minutes. */
const MOST_BYTES = 2 ** 30;

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** Where the text begins at this offset of three, without the characters that depend on what surrounds it. */
function base64At(offset: number): string {
  const encoded = Buffer.from(' '.repeat(offset) + MARK).toString('base64');
  return encoded.slice(Math.ceil((offset * 4) / 3), -4);
}

/** The kind of secret that stands in these bytes; null where none does. */
export function secretIn(bytes: Buffer): string | null {
  const found = FORMS.find(([, forms]) => forms.some((form) => bytes.includes(form)));
  if (found !== undefined) return found[0];
  return TOKEN.test(bytes.toString('latin1')) ? 'a token of OpenBao' : null;
}

/** @throws Error that names the place and the kind, and not the value */
export function holdNoSecret(text: string, where: string): void {
  const what = secretIn(Buffer.from(text, 'latin1'));
  if (what !== null) throw new Error(`${what} stands in ${where}`);
}

export interface Looked {
  /** Sentences that name the place and the kind, and not the value. */
  readonly findings: string[];
  files: number;
  bytes: number;
}

/**
 * Looks through a file, or every file below a folder, but for the legal places of `root`. A link is not followed.
 * A core file is a finding whatever is in it.
 */
export function lookThrough(path: string, root: string, looked: Looked = { findings: [], files: 0, bytes: 0 }): Looked {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) {
    for (const name of entriesOf(path)) lookThrough(join(path, name), root, looked);
  }
  if (stats?.isFile() !== true || stats.size === 0) return looked;
  if (stats.size > MOST_BYTES) {
    looked.findings.push(`${path} is too large to be looked through; its test has to remove it by itself`);
    return looked;
  }
  const place = relative(root, path);
  const file = openSync(path, 'r');
  try {
    const legal = LEGAL.some(([, places]) => places.test(place));
    const what = lookAt(file, legal, looked);
    if (what !== null) looked.findings.push(`${what} stands in ${path}`);
    looked.files += 1;
  } finally {
    closeSync(file);
  }
  return looked;
}

function lookAt(file: number, legal: boolean, looked: Looked): string | null {
  for (let at = 0; ; at += CHUNK - OVERLAP) {
    const length = readSync(file, buffer, 0, CHUNK, at);
    const bytes = buffer.subarray(0, length);
    looked.bytes += length;
    if (at === 0 && isCore(bytes)) return 'the memory of a process';
    if (legal) return null;
    const what = secretIn(bytes);
    if (what !== null) return what;
    if (length < CHUNK) return null;
  }
}

/** An ELF file of the type ET_CORE. */
function isCore(bytes: Buffer): boolean {
  return bytes.length > 17 && bytes.readUInt32BE(0) === 0x7f454c46 && bytes.readUInt16LE(16) === 4;
}

/** Every file below `folder`, none of which is a legal place. @throws Error as `holdNoSecret` */
export function holdNoSecretIn(folder: string): void {
  const [finding] = lookThrough(folder, '/').findings;
  if (finding !== undefined) throw new Error(finding);
}

/** What a daemon that ends left where it ran: nothing of its memory. @throws Error naming the file */
export function holdNoCore(folder: string): void {
  const core = entriesOf(folder).find((name) => /^core(\.\d+)?$/.test(name));
  if (core !== undefined) throw new Error(`a core file was left: ${join(folder, core)}`);
}

/** What stands in environment and arguments of a process: a sentence, or null. */
export function secretOfProcess(pid: number): string | null {
  for (const file of ['environ', 'cmdline']) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(`/proc/${pid}/${file}`);
    } catch {
      // It has ended, or is another user's.
      return null;
    }
    const what = secretIn(bytes);
    if (what !== null) return `${what} stands in ${file} of the daemon`;
  }
  return null;
}

/** Environment and arguments of a running process. @throws Error as `holdNoSecret` */
export function holdNoSecretOf(pid: number): void {
  const finding = secretOfProcess(pid);
  if (finding !== null) throw new Error(finding);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
