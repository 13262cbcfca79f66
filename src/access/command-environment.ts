import type { Secret } from '../kernel/secret.ts';

/** A value that is not text comes as a Secret, since that alone carries bytes. */
export type Variable = readonly [name: string, value: string | Secret];

export interface EnvironmentParts {
  /** The caller's own. */
  readonly environment: readonly Variable[];
  /** What the caller adds for this one command. */
  readonly additions: readonly Variable[];
  readonly pristine: boolean;
  /** What routes put in. */
  readonly injected: readonly Variable[];
}

/** Logins of the caller, sockets of its service manager, and what would load other code into the command. */
const KEPT_BACK = /^(?:BAO_.*|VAULT_.*|WARDEN_.*|LD_.*|NODE_OPTIONS|NOTIFY_SOCKET|LISTEN_.*|CREDENTIALS_DIRECTORY)$/s;
const PRISTINE = /^(?:PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LC_.*|TZ)$/s;
/** What a shell or the loader reads before the command does. */
const STEERING = /^(?:PATH|IFS|BASH_ENV|ENV|SHELLOPTS)$/;

/** A variable that no command gets from its caller. */
export function isKeptBack(name: string): boolean {
  return KEPT_BACK.test(name);
}

/** A variable that must not hold a secret: it would reach another program than the command, or change what runs. */
export function isReserved(name: string): boolean {
  return KEPT_BACK.test(name) || STEERING.test(name);
}

/** The whole environment of a command. Nothing of the daemon's own is in it. */
export function commandEnvironment(parts: EnvironmentParts): Map<string, string | Secret> {
  const all = new Map<string, string | Secret>();
  for (const [name, value] of parts.environment) {
    // Of a name that stands twice, the first is what getenv() sees.
    if (all.has(name) || isKeptBack(name) || (parts.pristine && !PRISTINE.test(name))) continue;
    all.set(name, value);
  }
  for (const [name, value] of parts.additions) if (!isKeptBack(name)) all.set(name, value);
  for (const [name, value] of parts.injected) all.set(name, value);
  return all;
}
