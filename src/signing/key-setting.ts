import { isAbsolute } from 'node:path';
import { WardenError } from '../kernel/errors.ts';

/** Where a CA key is, as `ca.key`, `ca.next` and `ca.retired` name it. */
export type KeySource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'credential'; readonly name: string }
  | { readonly kind: 'agent'; readonly fingerprint: string };

/**
 * A file (absolute by now), `credential:NAME` or `agent:SHA256:…`.
 * @throws WardenError config_invalid
 */
export function parseKeySetting(setting: string): KeySource {
  if (setting.startsWith('credential:')) {
    const name = setting.slice('credential:'.length);
    // systemd's own rule for credential names; it also keeps the name inside its folder.
    if (/^[A-Za-z0-9._-]{1,255}$/.test(name) && name !== '.' && name !== '..') return { kind: 'credential', name };
    throw invalid('credential: needs the name of a credential', 'write credential:NAME as in LoadCredential=NAME:…');
  }
  if (setting.startsWith('agent:')) {
    const fingerprint = setting.slice('agent:'.length);
    if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint)) return { kind: 'agent', fingerprint };
    throw invalid('agent: needs the fingerprint of a key', 'write agent:SHA256:… as `ssh-add -l` prints it');
  }
  if (isAbsolute(setting) && !setting.includes('\0')) return { kind: 'file', path: setting };
  throw invalid('the CA key names no file', 'write a path, credential:NAME or agent:SHA256:…');
}

function invalid(message: string, hint: string): WardenError {
  return new WardenError('config_invalid', message, { hint });
}
