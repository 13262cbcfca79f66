import { WardenError } from '../kernel/errors.ts';
import { type EnvPosture, SYNTHETIC_PREFIX } from '../kernel/posture.ts';
import { shown } from './shown.ts';

/** What the rule looks at. An `AuthorityKey` is one. */
export interface LabelledKey {
  readonly comment: string;
  readonly state: 'current' | 'next' | 'retired';
}

/** A synthetic CA is one whose comment says so. Whoever labels a real key like that has only themselves locked out of prod. */
function isSynthetic(key: Pick<LabelledKey, 'comment'>): boolean {
  return key.comment.startsWith(SYNTHETIC_PREFIX);
}

/**
 * Which authority keys a posture permits. dev: what signs now or next must be synthetic. test and prod: no
 * synthetic key at all, since even a retired one would be published for sshd to trust.
 * @throws WardenError posture_forbids
 */
export function checkAuthorityPosture(posture: EnvPosture, keys: readonly LabelledKey[]): void {
  for (const key of keys) checkKeyPosture(posture, key);
}

/** The same for one key. @throws WardenError posture_forbids */
export function checkKeyPosture(posture: EnvPosture, key: LabelledKey): void {
  if (posture === 'dev') {
    if (key.state === 'retired' || isSynthetic(key)) return;
    throw new WardenError(
      'posture_forbids',
      `posture dev signs with a synthetic CA only, and the ${key.state} CA key is labelled ${shown(key.comment)}`,
      {
        hint: 'leave `ca:` out of warden.yaml to get a synthetic CA, or use a throw-away key: ssh-keygen -t ed25519 -C synthetic-ca',
      },
    );
  }
  if (!isSynthetic(key)) return;
  throw new WardenError(
    'posture_forbids',
    `posture ${posture} takes no synthetic CA, and the ${key.state} CA key is labelled ${shown(key.comment)}`,
    { hint: 'name a key of its own in `ca:` of warden.yaml: ssh-keygen -t ed25519 -C ca -f ca_ed25519' },
  );
}
