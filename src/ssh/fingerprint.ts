import { createHash } from 'node:crypto';

/** What `ssh-keygen -l` prints for a key: `SHA256:` and the unpadded base64 of the digest over its wire encoding. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
