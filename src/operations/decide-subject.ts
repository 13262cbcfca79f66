import type { Actor } from '../inventory/actor.ts';
import { resolveSubject } from '../policy/subject.ts';
import type { RequestContext } from './context.ts';

export interface DecidedSubject {
  readonly id: string;
  /** `iam:<sub>` of the ID token where one was verified. */
  readonly claims: string | null;
}

/**
 * Who is asked about. For actor types that need claims, a verified ID token says so and nothing else can.
 * @throws WardenError unknown_subject | subject_mismatch | claims_required | claims_invalid
 */
export async function decideSubject(
  input: { readonly subject: string; readonly idToken: string },
  actor: Actor,
  { world }: RequestContext,
): Promise<DecidedSubject> {
  const { requireClaimsFor } = world.snapshot.settings.policy;
  const verify = requireClaimsFor.includes(actor.type) && input.idToken !== '' && world.claims !== null;
  const claims = verify ? await world.claims.verify(input.idToken) : null;
  const claimsSubject = claims?.subject ?? null;
  const id = resolveSubject({ requested: input.subject, actor, claimsSubject, requireClaimsFor });
  return { id, claims: claimsSubject };
}
