import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Stands in every secret value and token that a test makes up. Each daemon of the tests is looked at for it when it
 * stops, and each house when it is torn down: log, ledger and everything else in the state folder, environment,
 * arguments, core files.
 */
const MARK = 'canary-7d1f0a';

export function secretValue(name: string): string {
  return `${MARK}-${name}`;
}

/** The mark as it is and in the forms in which it would hide, and what OpenBao's own tokens look like. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ['a secret value', new RegExp(MARK)],
  ['a secret value, in base64', base64Of(MARK)],
  ['a secret value, in hex', new RegExp(Buffer.from(MARK).toString('hex'), 'i')],
  ['a token of OpenBao', /\b(?:hvs|s)\.[A-Za-z0-9]{24}|\bhv[sb]\.[A-Za-z0-9_-]{60,}|\broot-of-this-test\b/],
];

/** Bytes of each file that are looked at: a log of a test is far shorter. */
const MOST_BYTES = 8 * 1024 * 1024;

/** At each of the three offsets that it may have in what surrounds it, without the characters that depend on that. */
function base64Of(text: string): RegExp {
  const forms = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(' '.repeat(offset) + text).toString('base64');
    return encoded.slice(Math.ceil((offset * 4) / 3), -4).replaceAll('+', '\\+');
  });
  return new RegExp(forms.join('|'));
}

/** @throws Error that names the place and the kind, and not the value */
export function holdNoSecret(text: string, where: string): void {
  for (const [what, form] of FORMS) if (form.test(text)) throw new Error(`${what} stands in ${where}`);
}

/** Every file below `folder`. A link is not followed. @throws Error as `holdNoSecret` */
export function holdNoSecretIn(folder: string): void {
  for (const name of entriesOf(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    holdNoSecret(readFileSync(path).subarray(0, MOST_BYTES).toString('latin1'), path);
  }
}

/** What a daemon that ends left where it ran: nothing of its memory. @throws Error naming the file */
export function holdNoCore(folder: string): void {
  const core = entriesOf(folder, false).find((name) => /^core(\.\d+)?$/.test(name));
  if (core !== undefined) throw new Error(`a core file was left: ${join(folder, core)}`);
}

/** Environment and arguments of a running process. @throws Error as `holdNoSecret` */
export function holdNoSecretOf(pid: number): void {
  for (const file of ['environ', 'cmdline']) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/${file}`, 'latin1');
    } catch {
      // It has ended, or is another user's.
      return;
    }
    holdNoSecret(text, `${file} of the daemon`);
  }
}

function entriesOf(folder: string, recursive = true): string[] {
  try {
    return readdirSync(folder, { recursive, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
