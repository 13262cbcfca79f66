import type { Authority, Host } from '../src/rpc/generated/warden/v1/warden.ts';

/** OpenSSH reads lines of any length; other readers, and people, do not. */
const MAX_PATTERNS = 4_000;

/** The names that certificates of these hosts vouch for, sorted. */
export function vouchedNames(hosts: readonly Host[]): string[] {
  return [...new Set(hosts.flatMap(({ principals }) => principals))].sort();
}

/** `@cert-authority` lines over these names, for each authority that is published. */
export function knownHostLines(names: readonly string[], authorities: readonly Authority[]): string[] {
  return authorities.flatMap(({ publicKey, state }) =>
    inLines(names).map((patterns) => `@cert-authority ${patterns} ${publicKey} (${state})`),
  );
}

function inLines(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + name.length < MAX_PATTERNS) lines[lines.length - 1] = `${last},${name}`;
    else lines.push(name);
  }
  return lines;
}
