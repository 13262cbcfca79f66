import type { Actor, ActorType } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';

export interface SubjectInput {
  /** WARDEN_POLICY_SUBJECT as the request carries it; "" where it is unset. A claim, nothing more. */
  readonly requested: string;
  readonly actor: Pick<Actor, 'name' | 'type' | 'allowedSubjects'>;
  /** `iam:<sub>` of a verified ID token; null where none was given. */
  readonly claimsSubject: string | null;
  /** `policy.require_claims_for`. */
  readonly requireClaimsFor: readonly ActorType[];
}

/**
 * The identity that goes to the decision point: a verified one where there is one, else the claimed one, else
 * the actor's name; always one that the inventory allows. Compared byte for byte: no folding, no trimming.
 *
 * @throws WardenError claims_required | subject_mismatch | unknown_subject
 */
export function resolveSubject({ requested, actor, claimsSubject, requireClaimsFor }: SubjectInput): string {
  if (claimsSubject === null && requireClaimsFor.includes(actor.type)) {
    throw new WardenError('claims_required', `actors of type ${actor.type} need a signed ID token`);
  }
  if (claimsSubject !== null && requested !== '' && requested !== claimsSubject) {
    throw new WardenError('subject_mismatch', 'WARDEN_POLICY_SUBJECT and the ID token name different subjects');
  }
  const subject = claimsSubject ?? (requested === '' ? actor.name : requested);
  if (!actor.allowedSubjects.includes(subject)) {
    const whose = claimsSubject === null ? 'the subject asked for' : "the ID token's subject";
    throw new WardenError('unknown_subject', `${whose} is not among the allowed subjects of ${actor.name}`);
  }
  return subject;
}
