import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: what is asked. */
export const REQUEST_PAGES = {
  invalid_request: page(
    'The request itself is wrong: an option, a name or a value that cannot be meant.',
    ['A typing error, or a field that is too long or of the wrong form.'],
    ['warden help COMMAND shows what a command takes.'],
  ),
  public_key_malformed: page(
    'What was given is no single OpenSSH public key line.',
    ['The file is empty, cut short, holds several lines, or is a private key.'],
    ['Give the .pub file beside the private key, or make the line anew: ssh-keygen -y -f KEY.'],
  ),
  public_key_unsupported: page(
    'The key is of a type that is not signed.',
    ['DSA and other old types are refused, as OpenSSH refuses them.'],
    ['Use ed25519, ecdsa p256/p384/p521, rsa from 3072 bits, or a security key (sk-).'],
  ),
  public_key_too_weak: page(
    'The key is of a good type but too short or oddly made.',
    ['An rsa key below 3072 bits, or with an exponent that is not safe.'],
    ['Make a new one: ssh-keygen -t ed25519.'],
  ),
  public_key_is_certificate: page(
    'The file holds a certificate over a key, not the key itself.',
    ['FILE-cert.pub was given where FILE.pub was meant.'],
    ['Give FILE.pub.'],
  ),
  unknown_actor: page(
    'The inventory has no actor of this name. Only administrators get this answer.',
    ['A typing error, or the actor was removed or not yet added.'],
    ['Add it to inventory.yaml; the daemon reads the file by itself.'],
  ),
  disallowed_principal: page(
    'A principal was asked for that the actor does not have, or none would remain.',
    ['The inventory lists other principals.', 'The registry at the decision point lists others than the inventory.'],
    ['Ask for principals that warden actors shows.', 'Hand the registry over again: warden registry build.'],
  ),
  ttl_out_of_bounds: page(
    'The lifetime asked for is longer than the actor may have. It is refused, never shortened.',
    ['max_ttl_hours of the actor, the ceiling of its type, or the registry at the decision point is lower.'],
    [
      'Ask for less: warden actors shows the maximum.',
      "Raise max_ttl_hours in inventory.yaml up to the type's ceiling, and hand the registry over.",
    ],
  ),
  posture_forbids: page(
    'The posture of this daemon does not permit it.',
    ['dev signs with a synthetic CA only; prod refuses every synthetic stand-in.'],
    ['warden status shows the posture; it is set in warden.yaml and changes with a restart only.'],
  ),
  unknown_subject: page(
    "The subject to ask the decision point about is not among the actor's allowed_subjects.",
    ['WARDEN_POLICY_SUBJECT holds another subject.', 'The registry at the decision point does not know the subject.'],
    ['Unset WARDEN_POLICY_SUBJECT, or add the subject to allowed_subjects and hand the registry over.'],
  ),
  subject_mismatch: page(
    'WARDEN_POLICY_SUBJECT and the ID token name two different subjects.',
    ['The variable is left over from another session.'],
    ['Unset it, or make it iam:SUB of the token.'],
  ),
  claims_required: page(
    'For this type of actor a signed ID token is required.',
    ['policy.require_claims_for lists the type.'],
    ['Log in at your identity provider and give the token: --id-token-file FILE, or WARDEN_ID_TOKEN.'],
  ),
  claims_invalid: page(
    'The ID token does not hold.',
    [
      'It has expired, is for another audience, comes from another issuer, or its signature is not by a key of the issuer.',
    ],
    ['Log in again for a fresh token.', 'Check policy.claims in warden.yaml, and the clock of this machine.'],
  ),
  issue_unsupported: page(
    'This backend does not issue for keys made on the spot.',
    ['With OpenBao only sign is served.'],
    ['Make a key pair (ssh-keygen -t ed25519) and use warden sign.'],
  ),
  host_unsupported: page(
    'OpenBao signs here, and no role of its SSH engine is named for hosts.',
    ['openbao.ssh.host_role in warden.yaml is null, which is its default.'],
    [
      'Name a role in openbao.ssh.host_role, not one of actors: warden openbao setup --apply makes it, for the hosts of the inventory.',
    ],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
