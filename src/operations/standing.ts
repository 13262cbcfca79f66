import { WardenError } from '../kernel/errors.ts';
import type { RequestContext } from './context.ts';

/** For whom something would be released; what does not apply is absent. */
export interface Receiver {
  readonly actor?: string | undefined;
  /** Of the key that would be certified. */
  readonly fingerprint?: string | undefined;
}

/**
 * Is anything released now, to this receiver? Asked early, so that a refusal costs nobody a question, and again by
 * `Trail.release`, which every release passes: what was revoked or locked down in between gets nothing.
 * @throws WardenError locked_down | actor_revoked | key_revoked
 */
export function checkStanding({ actor, fingerprint }: Receiver, { services }: RequestContext): void {
  const { restraints } = services;
  if (restraints.lockdown !== null) {
    const since = new Date(restraints.lockdown.since).toISOString();
    throw new WardenError('locked_down', `an administrator has locked this daemon down, since ${since}`);
  }
  if (actor !== undefined && restraints.isRevokedActor(actor)) {
    throw new WardenError('actor_revoked', `${actor} is revoked and gets nothing new`);
  }
  if (fingerprint !== undefined && restraints.isRevokedKey(fingerprint)) {
    throw new WardenError('key_revoked', 'that key is revoked and no certificate is made over it');
  }
}
