import { WardenError } from '../kernel/errors.ts';
import type { ReasonCode } from '../kernel/reason.ts';
import type { Decision } from './decision.ts';

/**
 * Reasons of the policy package that are reason codes of ours as well. The same words, but another's rules: what
 * refused is the registry at the decision point, so that is where the mend is.
 */
const KNOWN: Readonly<Record<string, string>> = {
  ttl_out_of_bounds: 'ask for a TTL within the maximum that the registry of the decision point holds',
  unknown_actor_resource: 'hand the registry over again: warden registry build',
  unknown_subject: 'use a subject that the registry of the decision point lists, or hand the registry over again',
  actor_type_mismatch: 'mend the type in inventory.yaml, then hand the registry over again: warden registry build',
  disallowed_principal: 'ask for principals that the registry of the decision point allows',
  missing_fingerprint: 'send a public key',
} satisfies Partial<Record<ReasonCode, string>>;

/** The refusal that a deny becomes: the decision point's reason where it is one we know, else `policy_denied`. */
export function denial(decision: Decision): WardenError {
  const { reason, id } = decision;
  const known = Object.hasOwn(KNOWN, reason);
  const code = known ? (reason as ReasonCode) : 'policy_denied';
  const hint = known ? KNOWN[reason] : undefined;
  const because = reason === '' ? 'without giving a reason' : `with the reason: ${reason}`;
  return new WardenError(code, `the decision point denied the request ${because}`, {
    decisionId: id,
    ...(reason === '' ? {} : { policyReason: reason }),
    ...(hint === undefined ? {} : { hint }),
  });
}
