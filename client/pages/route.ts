import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: a route. */
export const ROUTE_PAGES = {
  route_not_allowed: page(
    'The actor may not ask for this route, or there is no such route: the answer does not tell which.',
    ['actors: of the route in routes.yaml does not list the actor.', 'The name of the route is mistyped.'],
    [
      'warden access lists the routes that you may ask for, and for which actor.',
      'Quote the ledger number to your administrator: the record names the cause.',
    ],
  ),
  route_unusable: page(
    'The route cannot be walked like this.',
    [
      'It is for commands only (fetch_capable: false), it has no place in this posture, or it has no such field.',
      'Its lane cannot do what was asked: a value of a tool cannot be wrapped, say.',
    ],
    ['warden access ROUTE shows what the route can do and which fields it has.'],
  ),
  lattice_refused: page(
    'The secret may not flow to this workload: posture, maturity or data class stands against it.',
    [
      'The maturity of the actor in inventory.yaml is below required_maturity of the route.',
      'It is below the floor of the data class: internal M1, confidential M2, restricted M3.',
    ],
    [
      'warden access ROUTE shows each clause, what it needs and what is there.',
      'Use a secret of a lower class, or let the owner of the workload raise its maturity through the gate of that level.',
    ],
  ),
  tier_mismatch: page(
    'The configured OpenBao belongs to another tier than the posture of this daemon. Values never cross tiers.',
    ['openbao.tier and posture in warden.yaml differ, or openbao.tier is not there: it is not guessed.'],
    ['Point openbao.address at the store of this posture and set openbao.tier to it.'],
  ),
  token_missing: page(
    'The route is walked with your own OpenBao token, and you have none.',
    [
      'BAO_TOKEN and VAULT_TOKEN are not set and there is no ~/.vault-token. A BAO_TOKEN that is set and empty means none.',
    ],
    ['Log in: bao login. Or set BAO_TOKEN.'],
  ),
  caller_confined: page(
    'You are more confined than what the daemon would start for you, and it is no way out of a sandbox.',
    [
      'You run in other namespaces, with no_new_privs, with a system call filter, or with fewer capabilities or groups.',
      'The daemon runs as a user that cannot become you.',
    ],
    ['Ask from outside the sandbox, or have the owner of the route set allow_confined_caller.'],
  ),
  secret_missing: page(
    'The owner has no value there.',
    ['Nothing was ever put at the path, the newest version was deleted, or it has no such field.'],
    ['Ask the owner of the secret to put the value there; warden access ROUTE shows where.'],
  ),
  owner_refused: page(
    'The system that owns the secret said no.',
    [
      'The token is unknown, expired or revoked, or its policies do not permit the path.',
      'The mount or the path in routes.yaml is not the one in OpenBao.',
    ],
    [
      'Log in again (bao login), and try the same path with bao itself.',
      'Where the route says as: daemon, warden status shows how the login of the daemon went.',
    ],
  ),
  owner_unavailable: page(
    'The system that owns the secret does not answer, or not as it should.',
    ['OpenBao is down, sealed, on standby, limits the rate, or cannot show that it is the one configured.'],
    ['warden status shows how it is. The daemon goes on by itself once it answers.'],
  ),
  tool_failed: page(
    "The owner's own tool did not give a value.",
    [
      'It is not installed, ended with an error, took too long, wrote too much, or its output is not what the route says.',
    ],
    ["Run it yourself: warden access ROUTE shows the command. What it wrote to stderr is in nobody's log."],
  ),
  recording_failed: page(
    'The session is to be recorded, and the recording cannot be written: nothing is shown that is not recorded.',
    ["The disk of the folder of recordings is full, or the folder is not the daemon's own."],
    ['Make room there, or mend recording: in warden.yaml; the daemon needs no restart for it.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
