/**
 * Every reason that wardend gives, closed. `kind` says what the reader can do about it and decides the exit
 * code of `warden` (refused 1, usage 2, unreachable 3, unavailable 4, internal 5); `hint` is the mend that is
 * shown where the place that raised it had nothing better to say.
 */
export type ErrorKind = 'refused' | 'usage' | 'unreachable' | 'unavailable' | 'internal';

interface Reason {
  readonly kind: ErrorKind;
  readonly hint: string;
}

const refused = (hint: string): Reason => ({ kind: 'refused', hint });
const usage = (hint: string): Reason => ({ kind: 'usage', hint });
const unavailable = (hint: string): Reason => ({ kind: 'unavailable', hint });

export const REASONS = {
  // who asks
  caller_not_allowed: refused('quote the ledger number to your administrator'),
  caller_gone: refused('ask from a process that stays alive until the answer'),
  caller_changed: refused('connect again: the program changed after it connected'),
  not_administrator: refused('ask an administrator: `admins:` in warden.yaml lists them'),
  rate_limited: refused('wait for the retry delay; `limits.per_caller_rate` in warden.yaml sets the rate'),
  concurrency_limited: refused('wait for a running request to end; `limits.per_caller_concurrency` sets how many'),
  quota_exceeded: refused('wait for the next day (UTC), or have `quota:` of the actor in inventory.yaml raised'),
  connection_limited: refused('close connections; `limits.connections` in warden.yaml sets how many'),
  // what is asked
  invalid_request: usage('see `warden help`'),
  public_key_malformed: usage('give one OpenSSH public key line, as in a .pub file'),
  public_key_unsupported: usage('use ed25519, ecdsa p256/p384/p521, rsa of 3072 bits or more, or a sk- key'),
  public_key_too_weak: usage('make a stronger key: ssh-keygen -t ed25519'),
  public_key_is_certificate: usage('give the public key itself, not a certificate over it'),
  unknown_actor: refused('add the actor to inventory.yaml'),
  disallowed_principal: refused('ask for principals that the inventory lists for the actor'),
  ttl_out_of_bounds: refused("ask for a TTL within the actor's maximum"),
  posture_forbids: refused('see `warden status` for the posture this daemon runs in'),
  unknown_subject: refused("use a subject among the actor's allowed_subjects"),
  subject_mismatch: refused('unset WARDEN_POLICY_SUBJECT, or make it agree with the ID token'),
  claims_required: refused('give an ID token: --id-token-file FILE or WARDEN_ID_TOKEN'),
  claims_invalid: refused('log in again for a fresh ID token'),
  issue_unsupported: refused('make a key pair yourself (ssh-keygen -t ed25519) and use `warden sign`'),
  host_unsupported: refused('name a role that signs for hosts in openbao.ssh.host_role, or sign with a local CA'),
  // what was taken back
  locked_down: refused('an administrator ends it with `warden lockdown --lift`'),
  actor_revoked: refused('an administrator ends it with `warden revoke --lift --actor ACTOR`'),
  key_revoked: refused('make a new key pair: ssh-keygen -t ed25519'),
  revocation_list_failed: unavailable(
    'make room on the disk of the state folder; the daemon writes them by itself then',
  ),
  // the gate
  policy_denied: refused('ask the owner of the flex-auth policy; quote the decision id'),
  actor_type_mismatch: refused('mend the type in the registry or in inventory.yaml, then hand the registry over again'),
  unknown_actor_resource: refused('hand the registry over again: warden registry build'),
  missing_fingerprint: refused('send a public key'),
  policy_unavailable: unavailable(
    'bring the decision point at policy.flex_auth_url back; `warden status` shows its state',
  ),
  policy_answer_invalid: unavailable('tell the owner of the decision point: its answer breaks the contract'),
  break_glass_forbidden: refused('`policy.break_glass.callers` in warden.yaml names who may'),
  // a route
  route_not_allowed: refused('`warden access` lists the routes that you may ask for'),
  route_unusable: refused('see `warden access ROUTE`'),
  lattice_refused: refused(
    'see `warden access ROUTE`; the owner of the workload raises its maturity, or the secret is classed anew',
  ),
  tier_mismatch: refused('point openbao.address at the store of this posture, and say so in openbao.tier'),
  token_missing: refused('log in to OpenBao (bao login), or set BAO_TOKEN'),
  caller_confined: refused('ask from outside the sandbox, or have the route say allow_confined_caller'),
  secret_missing: refused('ask the owner of the secret to put a value there'),
  owner_refused: refused('ask the owner of the secret for access'),
  owner_unavailable: unavailable('ask again once the owner of the secret answers'),
  tool_failed: unavailable("run the owner's tool yourself to see what is wrong with it"),
  recording_failed: unavailable('make room in the folder of recordings: sessions that are to be recorded wait for it'),
  // a command
  command_not_found: refused('check the name, and PATH: the command is looked for as your own shell would'),
  command_not_executable: refused('chmod +x the file, or name the interpreter that reads it'),
  spawner_unavailable: unavailable('start it: systemctl start wardend-spawner; its log says why it does not run'),
  spawner_lost: unavailable(
    'the log of wardend-spawner says why it went; whether to run the command again is yours to say',
  ),
  command_not_allowed: refused('`commands:` of the route in routes.yaml lists what may run; see `warden access ROUTE`'),
  masking_required: refused('leave --no-mask out, or have the route say allow_unmasked'),
  exec_limited: refused('wait for a running command to end; `limits.exec_concurrency` in warden.yaml sets how many'),
  duration_exceeded: refused('`max_duration` of the route in routes.yaml sets how long a command may run'),
  // the authority
  ca_unavailable: unavailable('see `warden status`: the certificate authority does not answer'),
  ca_refused: refused('see the message of the authority'),
  ca_mismatch: unavailable('the authority answered with another certificate than was asked for; nothing was released'),
  roll_out_of_order: refused('see `warden ca roll --status`'),
  // the ledger and the daemon
  ledger_unavailable: unavailable(
    'make room on the disk of the state folder; nothing is released until the ledger can be written',
  ),
  ledger_broken: unavailable('see `warden ledger verify`'),
  state_in_use: unavailable('stop the other daemon, or give this one its own --state'),
  state_rolled_back: unavailable('put the newest state folder back, or accept the break: `warden ledger accept`'),
  socket_in_use: unavailable('stop the other daemon, or give this one its own --socket'),
  draining: unavailable('ask again: the daemon is stopping'),
  config_invalid: usage('mend the file at the place named, then `warden check`'),
  restart_required: refused('restart the daemon: what changed is fixed at start'),
  preflight_failed: unavailable('make the decision point answer /healthz, or turn policy.enabled off'),
  deadline_exceeded: unavailable('ask again; `warden status` shows what is slow'),
  unimplemented: usage('this daemon is older than its client: upgrade it'),
  daemon_unreachable: { kind: 'unreachable', hint: 'start it: `wardend`, or `systemctl --user start wardend.socket`' },
  service_failed: unavailable('see `journalctl -u wardend.service`, with --user for your own'),
  internal: { kind: 'internal', hint: 'report it with the request id; the daemon log has the cause' },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
