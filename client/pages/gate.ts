import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: the gate. */
export const GATE_PAGES = {
  policy_denied: page(
    'The decision point said no, for a reason of its own.',
    ['A rule of the flex-auth policy package, or of the AuthZEN decision point, denies it.'],
    ['Quote the decision id to the owner of the policy.'],
  ),
  actor_type_mismatch: page(
    'The decision point knows the actor under another type than the inventory says.',
    ['The registry is older than the inventory.'],
    ['Mend the type, then hand the registry over: warden registry build.'],
  ),
  unknown_actor_resource: page(
    'The decision point does not know the actor.',
    ['The actor was added to the inventory and the registry was not handed over since.'],
    ['warden registry build, then give the file to the owner of flex-auth. warden registry check shows the drift.'],
  ),
  missing_fingerprint: page(
    'The decision point was asked without the fingerprint of a key.',
    ['An explanation was asked for without a public key.'],
    ['Give the key: --pubkey FILE.'],
  ),
  policy_unavailable: page(
    'The decision point does not answer, and without its word nothing is signed.',
    [
      'It is down, unreachable, too slow, overloaded, or answers HTTP errors.',
      'Its circuit breaker is open after such faults.',
    ],
    [
      'warden status shows the gate. Mend the decision point; wardend asks again by itself.',
      'In an emergency: warden break-glass, where policy.break_glass names you.',
    ],
  ),
  policy_answer_invalid: page(
    'The decision point answered something that breaks the contract; it counts as no answer.',
    ['An unknown effect, an allow without an id, broken JSON, a redirect, or a stand-in (double) in prod.'],
    ['Tell the owner of the decision point. Nothing opens the gate for this, break-glass neither.'],
  ),
  break_glass_forbidden: page(
    'You may not open the gate.',
    [
      'policy.break_glass.callers does not match you, the time is beyond policy.break_glass.max, or there is no terminal.',
    ],
    ['Ask someone whom warden.yaml names.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
