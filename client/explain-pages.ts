import type { ReasonCode } from '../src/kernel/reason.ts';

/** One page of `warden explain CODE`. Sentences for people; the code's own hint is printed with them. */
export interface Page {
  readonly means: string;
  readonly why: readonly string[];
  readonly mend: readonly string[];
}

const page = (means: string, why: readonly string[], mend: readonly string[]): Page => ({ means, why, mend });

/** The compiler keeps this complete. */
export const PAGES: Readonly<Record<ReasonCode, Page>> = {
  caller_not_allowed: page(
    "None of the actor's callers: entries matches your process, or there is no such actor: the answer does not tell which.",
    [
      'The program runs as another user, from another path, or in another unit than the entry names.',
      'The actor has no callers: and you are not the user that the daemon runs as.',
      'The name of the actor is mistyped.',
    ],
    [
      'Quote the ledger number to your administrator: the record names the cause.',
      'An administrator sees the nearest entry, and what in it did not hold, with: warden explain sign ACTOR.',
      'warden actors lists the actors that you may ask for.',
    ],
  ),
  host_unsupported: page(
    'OpenBao signs here, and no role of its SSH engine is named for hosts.',
    ['openbao.ssh.host_role in warden.yaml is null, which is its default.'],
    [
      'Name a role in openbao.ssh.host_role, not one of actors: warden openbao setup --apply makes it, for the hosts of the inventory.',
    ],
  ),
  roll_out_of_order: page(
    'A CA key is rolled in three steps, begin, switch and finish, and this one is not the next. Nothing was done.',
    [
      'There is no next key to switch to, or no retired key to let go of.',
      'Certificates of the retired key may still be good, and hosts that stop trusting it would refuse them.',
    ],
    ['warden ca roll --status shows where it stands.', 'docs/revocation.md shows a whole roll.'],
  ),
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
  caller_gone: page(
    'The process that opened the connection has ended; nobody else may use its connection.',
    ['A parent opened the connection, handed it to a child and exited.'],
    ['Connect from the process that needs the answer, and keep it alive until the answer is there.'],
  ),
  caller_changed: page(
    'The process runs another program than when it connected.',
    ['It called exec() while it held the connection.', 'Its executable was replaced, by an upgrade say.'],
    ['Connect again from the new program.'],
  ),
  not_administrator: page(
    'Only an administrator may do this (reload, full explanations, the whole ledger).',
    ["admins: in warden.yaml does not match your process; without admins: only the daemon's own user is one."],
    ['Ask an administrator, or have yourself added to admins: in warden.yaml.'],
  ),
  rate_limited: page(
    'You ask faster than limits.per_caller_rate allows.',
    ['A loop without a pause, or many programs under one identity.'],
    ['Wait for the retry delay in the error. Use warden sign --if-expiring in timers instead of asking each time.'],
  ),
  concurrency_limited: page(
    'More of your requests run at once than limits.per_caller_concurrency allows.',
    ['Many parallel jobs ask at the same moment.'],
    ['Wait for one to end, or raise the limit in warden.yaml.'],
  ),
  quota_exceeded: page(
    'The actor was given today as much of this as `quota:` in inventory.yaml allows in a day.',
    [
      'Somebody, or a loop, asks more often than was meant.',
      'The quota is too small for the work. Released things count, refusals do not; a day begins at 00:00 UTC, and a restart of the daemon forgets nothing.',
    ],
    [
      'Wait until the time that the message names.',
      'warden actors shows what is used; warden ledger query --actor ACTOR --since 1d shows for what.',
      'An administrator raises quota: of the actor; that takes effect at once.',
    ],
  ),
  connection_limited: page(
    'The daemon holds as many connections as limits.connections allows.',
    ['Programs open connections and do not close them.'],
    ['Close connections that are not used; warden status shows how many there are.'],
  ),
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
  command_not_found: page(
    'There is no such command. Nothing was started and no secret was read for it.',
    ['The name is mistyped.', 'It lies in a folder that is not in your PATH.', 'It is a shell alias or function.'],
    [
      'Find it: command -v NAME.',
      'Give its whole path, or run a shell: warden exec --route R -- sh -c "…".',
      'warden exec ends with 127, as a shell does.',
    ],
  ),
  command_not_executable: page(
    'The file is there, and you may not execute it.',
    ['It has no x permission for you.', 'It is a folder.', 'It lies on a file system that was mounted noexec.'],
    ['chmod +x FILE, or name its interpreter: warden exec --route R -- python3 FILE.', 'warden exec ends with 126.'],
  ),
  spawner_unavailable: page(
    'The spawner, which starts commands as their callers, does not answer. Nothing was released.',
    [
      'wardend-spawner does not run.',
      'Its socket is not where wardend looks (--spawner), or wardend may not connect to it.',
      'Something that is not root answers there.',
    ],
    ['systemctl status wardend-spawner.', 'Its log names who connected and why it was turned away.'],
  ),
  spawner_lost: page(
    'The spawner went away while the command ran. The command ran, and nobody knows how it ended, or whether it did all it should.',
    ['wardend-spawner was killed, or it failed: it tells how its commands end when it is merely stopped or restarted.'],
    [
      'journalctl -u wardend-spawner says why it went.',
      'The command was sent SIGTERM by the kernel when the spawner went. What it was to change: look at that before you run it again.',
      'warden exec ends with 125. The record exec_end has this reason and no exit_code.',
    ],
  ),
  command_not_allowed: page(
    'The route says which commands may run with it, and this is none of them.',
    [
      'The program is another than commands: of the route lists, found under another path, or the file behind it is not the one whose digest is pinned.',
      'Its arguments do not fit the pattern: each element is literal, * is any one, ** at the end any number.',
    ],
    [
      'warden access ROUTE shows what may run; warden explain exec walks a command line without starting it.',
      'Ask the owner of the route to list the command in routes.yaml.',
    ],
  ),
  masking_required: page(
    'The route does not allow output in which its values could show.',
    ['--no-mask was given, and one of the routes does not say allow_unmasked: true.'],
    ['Leave --no-mask out.'],
  ),
  exec_limited: page(
    'As many commands run with secrets as may.',
    [
      'limits.exec_concurrency in warden.yaml bounds all of them together.',
      'One caller gets seven eighths of that, so that it cannot shut out the others.',
    ],
    ['Wait for one to end, or raise the limit.'],
  ),
  duration_exceeded: page(
    'The command ran for as long as the route lets one run, and was ended: SIGTERM, five seconds later SIGKILL.',
    ['It hung.', 'max_duration of the route is too short for what it does; of several routes the shortest counts.'],
    ['Raise max_duration of the route in routes.yaml, which is 1h where nothing is said.'],
  ),
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
  ledger_unavailable: page(
    'The record could not be written to disk, so nothing was released.',
    ['The disk of the state folder is full or fails, or permissions changed.'],
    ['Make room. The daemon goes on by itself; no restart is needed.'],
  ),
  ledger_broken: page(
    'The ledger does not hold together: a record was altered, removed, reordered or cut off.',
    ['The file was edited, damaged, or put back from a copy.'],
    [
      'warden ledger verify names the place. Look into it; then warden ledger accept --reason TEXT lets the daemon start.',
    ],
  ),
  state_in_use: page(
    'Another daemon works in the same state folder.',
    ['Two daemons would write one ledger.'],
    ['Stop the other, or give this one its own --state.'],
  ),
  state_rolled_back: page(
    'The state folder is older than it was: records that were written are gone.',
    ['It was restored from a backup, or a snapshot of the machine was put back.'],
    ['Put the newest state folder back; or, where there is none, warden ledger accept --reason TEXT.'],
  ),
  socket_in_use: page(
    'Another daemon listens on the same socket.',
    ['It runs already.'],
    ['Stop the other, or give this one its own --socket.'],
  ),
  draining: page(
    'The daemon is stopping and takes nothing new.',
    ['It is being restarted or upgraded.'],
    ['Ask again in a moment.'],
  ),
  config_invalid: page(
    'A config file does not hold.',
    ['A key that does not exist, a value out of range, two files that disagree, or permissions that let others write.'],
    ['warden check lists every problem with file, line and mend.'],
  ),
  restart_required: page(
    'The files changed something that is fixed when the daemon starts.',
    ['Posture, socket or state folder.'],
    ['Restart the daemon; until then the old snapshot stays in force.'],
  ),
  preflight_failed: page(
    'The gate was turned on, and the decision point does not answer /healthz.',
    ['With fail_closed every request would be refused, so the old snapshot stays.'],
    ['Make the decision point reachable. The daemon tries again every 10 s.'],
  ),
  deadline_exceeded: page(
    'The answer did not come in time.',
    ['The decision point, the authority or the disk is slow, or the machine is overloaded.'],
    ['Ask again; warden ledger query --request ID shows whether something was released all the same.'],
  ),
  unimplemented: page(
    'The daemon does not know this request.',
    ['It is older than this client.'],
    ['Upgrade the daemon: warden status and warden doctor show both versions.'],
  ),
  daemon_unreachable: page(
    'No wardend answers on the socket.',
    ['It does not run, listens elsewhere, or you have no permission on the socket.'],
    [
      'Start it: wardend, or systemctl --user start wardend.socket, or systemctl start wardend.socket.',
      'Name the socket: --socket PATH or WARDEN_SOCKET.',
      "In system mode be a member of the socket's group.",
    ],
  ),
  service_failed: page(
    'systemd could not do what warden install asked of it, or the daemon did not start.',
    [
      'The config does not hold: the log of the service names file and line.',
      'Another daemon has the socket or the state folder.',
      'Its user cannot read the config folder or run the program.',
    ],
    [
      'Read the last lines of the log: journalctl -u wardend.service (with --user for your own).',
      'Mend it and run warden install again: what is done already stays as it is.',
      'warden install --uninstall takes back what was done.',
    ],
  ),
  internal: page(
    "A failure that should not be. The cause is in the daemon's log, and only there.",
    ['A defect, or daemon and client of different versions.'],
    ['Report it with the request id.'],
  ),
};

/** Reasons that come with an allow, not with an error. */
export const ALLOW_PAGES: Readonly<Record<string, Page>> = {
  signing_policy_matched: page(
    'The decision point said yes: a rule of the signing policy matched.',
    ['Subject, type, principals and lifetime are as the registry has them.'],
    ['Nothing: this is the reason of an allow.'],
  ),
};
