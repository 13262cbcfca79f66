import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import type { Facts } from './facts.ts';

/** A getent that hangs on a dead directory server must not hang the load. */
const GETENT_TIMEOUT_MS = 5_000;
/** Names asked of getent in one load: each costs a process. */
const MAX_GETENT_CALLS = 64;

/**
 * This machine's users, groups and paths. /etc/passwd and /etc/group are read once an instance; names that they do
 * not have are asked of `getent` (NSS). Synchronous: for the parse worker and for offline commands.
 */
export function systemFacts(): Facts {
  const passwd = lazily(() => readAccounts('/etc/passwd'));
  const group = lazily(() => readAccounts('/etc/group'));
  let calls = 0;
  const ask = (database: string, name: string): number | null => {
    calls += 1;
    return calls > MAX_GETENT_CALLS ? null : getent(database, name);
  };
  return {
    uid: (name) => passwd().get(name) ?? ask('passwd', name),
    gid: (name) => group().get(name) ?? ask('group', name),
    realPath: (path) => {
      try {
        return realpathSync(path);
      } catch {
        return null;
      }
    },
    fileIdentity: (path) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
      } catch {
        return null;
      }
    },
  };
}

/** `name:x:number:…` lines. */
export function parseAccounts(text: string): ReadonlyMap<string, number> {
  const accounts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name !== undefined && name !== '' && number !== undefined && /^\d{1,10}$/.test(number) && !accounts.has(name)) {
      accounts.set(name, Number(number));
    }
  }
  return accounts;
}

function readAccounts(file: string): ReadonlyMap<string, number> {
  try {
    return parseAccounts(readFileSync(file, 'utf8'));
  } catch {
    return new Map();
  }
}

function getent(database: string, name: string): number | null {
  // A name of digits would be looked up as a number.
  if (/^\d+$/.test(name)) return null;
  const result = spawnSync('getent', ['--', database, name], {
    encoding: 'utf8',
    // Not the caller's PATH: what runs here decides who may ask.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    timeout: GETENT_TIMEOUT_MS,
    maxBuffer: 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return result.status === 0 ? (parseAccounts(result.stdout).get(name) ?? null) : null;
}

function lazily<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
