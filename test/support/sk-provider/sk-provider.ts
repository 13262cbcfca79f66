import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sshKeygenOk } from '../ssh-keygen.ts';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('sk-provider.c', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../.cache/sk-provider', import.meta.url));
const COMPILER = 'gcc';
const FLAGS = ['-std=c11', '-O1', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-shared', '-fPIC'];

/** The one PIN that the software key takes. */
export const SK_PIN = 'synthetic-pin';

export type SkKeyType = 'ed25519-sk' | 'ecdsa-sk';

let compiled: Promise<string> | null = null;

/** The shared library for SSH_SK_PROVIDER, compiled once for each state of its source. */
export function skProvider(): Promise<string> {
  compiled ??= compile();
  return compiled;
}

/**
 * A key file that wants the software key for each signature. `options` as ssh-keygen's -O: `verify-required`
 * (PIN), `no-touch-required`.
 */
export async function makeSkKeyFile(file: string, type: SkKeyType, options: readonly string[] = []): Promise<void> {
  const wishes = options.flatMap((option) => ['-O', option]);
  await sshKeygenOk(['-q', '-t', type, '-w', await skProvider(), '-N', '', '-C', 'tester', ...wishes, '-f', file]);
}

async function compile(): Promise<string> {
  const source = readFileSync(SOURCE);
  const state = createHash('sha256').update(source).update(FLAGS.join(' ')).update(process.arch).digest('hex');
  const library = join(CACHE, `${state.slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE)) removeIfOld(join(CACHE, name));
  // Another test process may compile at the same time: each its own file, and a rename that is whole.
  const draft = join(CACHE, `.${randomBytes(6).toString('hex')}.so`);
  try {
    await run(COMPILER, [...FLAGS, '-o', draft, SOURCE, '-lcrypto']);
  } catch (error) {
    throw new Error(whyNotCompiled(error as NodeJS.ErrnoException & { readonly stderr?: string }), { cause: error });
  }
  renameSync(draft, library);
  return library;
}

function whyNotCompiled({ code, stderr = '' }: { readonly code?: unknown; readonly stderr?: string }): string {
  if (code === 'ENOENT') {
    return `these tests compile a software security key and there is no ${COMPILER}: install gcc and libssl-dev`;
  }
  if (/openssl\/\w+\.h: No such file|cannot find -lcrypto/.test(stderr)) {
    return 'these tests compile a software security key and the headers of OpenSSL are missing: install libssl-dev';
  }
  return `the software security key does not compile: ${stderr}`;
}

/** Of earlier sources, a day after: a test run that is under way may still use one. */
function removeIfOld(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && Date.now() - stats.mtimeMs > 86_400_000) rmSync(path, { force: true });
}
