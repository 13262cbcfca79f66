import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: the authority. */
export const AUTHORITY_PAGES = {
  ca_unavailable: page(
    'The certificate authority cannot sign now.',
    ['The ssh-agent that holds the CA key is gone or locked, or OpenBao does not answer.'],
    ['warden status shows which authority it is and how it is.'],
  ),
  ca_refused: page(
    'The certificate authority refused to sign.',
    ['The agent asked for a confirmation that was not given, or the role in OpenBao forbids it.'],
    ['See the message, and mend the role or confirm the signature.'],
  ),
  ca_mismatch: page(
    'The authority returned a certificate that differs from what was planned; it was thrown away.',
    ['A role that adds options, clips lifetimes or ignores the key id; or another CA key than the pinned one.'],
    ["The daemon's log names the difference. Mend the role, or the CA key in warden.yaml."],
  ),
  roll_out_of_order: page(
    'A CA key is rolled in three steps, begin, switch and finish, and this one is not the next. Nothing was done.',
    [
      'There is no next key to switch to, or no retired key to let go of.',
      'Certificates of the retired key may still be good, and hosts that stop trusting it would refuse them.',
    ],
    ['warden ca roll --status shows where it stands.', 'docs/revocation.md shows a whole roll.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
