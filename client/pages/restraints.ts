import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: what was taken back. */
export const RESTRAINTS_PAGES = {
  locked_down: page(
    'An administrator has locked this daemon down: it releases nothing, to nobody, until that is undone.',
    ['Something is being looked into, and nothing shall leave meanwhile.', 'A lockdown survives restarts.'],
    [
      'warden status says since when; administrators see the reason there.',
      'An administrator ends it with: warden lockdown --lift.',
    ],
  ),
  actor_revoked: page(
    'An administrator has revoked the actor: it gets no certificate, no secret and no command any more.',
    ['Its key, its machine or its program is thought to be in other hands.'],
    [
      'warden ledger query --kind revoke shows who revoked it, when and why (for administrators and auditors).',
      'An administrator ends it with: warden revoke --lift --actor ACTOR. Certificates that were revoked stay so.',
    ],
  ),
  key_revoked: page(
    'The public key is revoked: no certificate is made over it, for whatever actor.',
    ['Its private half is thought to be in other hands.'],
    [
      'Make a new key pair: ssh-keygen -t ed25519.',
      'An administrator takes it back with: warden revoke --lift --fingerprint SHA256:….',
    ],
  ),
  revocation_list_failed: page(
    'The revocation or lockdown is in force and in the ledger, but the state file or the list for sshd could not be written.',
    ['The disk of the state folder is full or read-only.'],
    [
      'Make room: the daemon tries again every few seconds, and a restart makes both files anew from the ledger.',
      'Until then warden krl prints the list that is in force.',
    ],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
