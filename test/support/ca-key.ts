import { execFileSync } from 'node:child_process';

/** A CA key file as ssh-keygen makes it, 0600, with its .pub beside it. */
export function makeCaKey(path: string, comment: string, type = 'ed25519'): void {
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', comment, '-f', path]);
}
