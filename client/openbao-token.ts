import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { usageError } from './args.ts';

const MAX_BYTES = 4096;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The user's own OpenBao token, as `bao` finds it: BAO_TOKEN (set but empty means none), VAULT_TOKEN, ~/.vault-token.
 * Empty where there is none. It goes to the daemon for one request, and nowhere else. @throws WardenError invalid_request
 */
export function ambientToken(env: Env): Buffer {
  const token = (env.BAO_TOKEN ?? env.VAULT_TOKEN)?.trim();
  const bytes = token === undefined ? tokenFile(env) : Buffer.from(token, 'utf8');
  if (bytes.length > MAX_BYTES || bytes.some((byte) => byte <= 0x20 || byte >= 0x7f)) {
    bytes.fill(0);
    throw usageError('what should be your OpenBao token is none', 'log in again: bao login; or set BAO_TOKEN');
  }
  return bytes;
}

function tokenFile(env: Env): Buffer {
  const home = env.HOME === undefined || env.HOME === '' ? homedir() : env.HOME;
  const none = Buffer.alloc(0);
  let fd: number;
  try {
    // O_NONBLOCK: opening a fifo must not wait for its writer.
    fd = openSync(join(home, '.vault-token'), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return none;
  }
  try {
    if (!fstatSync(fd).isFile()) return none;
    const bytes = Buffer.alloc(MAX_BYTES + 2);
    const whole = bytes.subarray(0, readSync(fd, bytes));
    const text = whole.toString('latin1');
    const end = text.trimEnd().length;
    return whole.subarray(text.length - text.trimStart().length, Math.max(end, 0));
  } catch {
    return none;
  } finally {
    closeSync(fd);
  }
}
