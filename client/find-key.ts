import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WardenError } from '../src/kernel/errors.ts';
import { usageError } from './args.ts';
import { readBounded } from './bounded-file.ts';
import type { Invocation } from './invocation.ts';
import { home } from './paths.ts';

/** The public key to certify. */
export interface FoundKey {
  /** One line without its end. */
  readonly line: string;
  /** Where ssh looks for the certificate; null for stdin. */
  readonly certificatePath: string | null;
  readonly from: 'file' | 'stdin' | 'agent';
}

const MAX_KEY_BYTES = 16 * 1024;
const DEFAULT_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** --pubkey, else the first default key, else the only key of the ssh-agent. @throws WardenError */
export async function findKey({ args, env }: Invocation, actor: string): Promise<FoundKey> {
  const given = args.string('pubkey');
  if (given === '') throw usageError('--pubkey is empty', 'give a .pub file, or - for stdin');
  if (given === '-') return { line: readKeyLine('-'), certificatePath: null, from: 'stdin' };
  const folder = join(home(env), '.ssh');
  const file = given ?? DEFAULT_KEYS.map((name) => join(folder, `${name}.pub`)).find((path) => existsSync(path));
  if (file !== undefined) return { line: readKeyLine(file), certificatePath: certificatePathOf(file), from: 'file' };
  const line = await onlyAgentKey(env.SSH_AUTH_SOCK, `${folder}/{${DEFAULT_KEYS.join(',')}}.pub`);
  return { line, certificatePath: join(folder, `warden-${actor}-cert.pub`), from: 'agent' };
}

/** `id_ed25519.pub` → `id_ed25519-cert.pub`, beside it. */
export function certificatePathOf(keyFile: string): string {
  return `${keyFile.replace(/\.pub$/, '')}-cert.pub`;
}

/** The one key of a file, or of stdin (-). @throws WardenError invalid_request | public_key_malformed */
export function readKeyLine(path: string): string {
  const text = readBounded(path, 'the public key', MAX_KEY_BYTES).toString('utf8');
  const shown = path === '-' ? 'stdin' : path;
  // Looked at here, so that a private key given by mistake never leaves this process.
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^PuTTY-User-Key-File-/m.test(text)) {
    const mend =
      path !== '-' && existsSync(`${path}.pub`) ? `give ${path}.pub` : 'print its public half: ssh-keygen -y -f FILE';
    throw new WardenError('public_key_malformed', `${shown} is a private key; it was not sent`, { hint: mend });
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const line = lines[0];
  if (line === undefined) throw new WardenError('public_key_malformed', `${shown} is empty`);
  if (lines.length > 1) {
    throw new WardenError(
      'public_key_malformed',
      `${shown} holds ${lines.length} lines, and one key is signed at a time`,
    );
  }
  return line;
}

async function onlyAgentKey(socket: string | undefined, looked: string): Promise<string> {
  const hint = 'name one with --pubkey FILE, or make one: ssh-keygen -t ed25519';
  if (socket === undefined || socket === '') {
    throw usageError(`no public key: there is no ${looked}, and SSH_AUTH_SOCK names no ssh-agent`, hint);
  }
  const { listAgentKeys } = await import('./agent-keys.ts');
  const keys = await listAgentKeys(socket);
  const only = keys[0];
  if (only === undefined)
    throw usageError(`no public key: there is no ${looked}, and the ssh-agent holds no key`, hint);
  if (keys.length > 1) {
    throw usageError(
      `which public key? there is no ${looked}, and the ssh-agent holds ${keys.length} keys`,
      'name one: ssh-add -L | sed -n 1p | warden sign ACTOR --pubkey -',
    );
  }
  return only;
}
