import { hash } from 'node:crypto';

/** What `ssh-keygen -l` prints for a key: `SHA256:` and the unpadded base64 of the digest over its wire encoding. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}`;
}
