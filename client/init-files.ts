import { PRINCIPAL } from '../src/inventory/names.ts';
import type { EnvPosture } from '../src/kernel/posture.ts';

/** The caller's own actor: `adm-` and the login name, as far as it may stand in one. */
export function actorNameOf(username: string, uid: number): string {
  const folded = username
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 60)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return `adm-${folded === '' ? `uid${uid}` : folded}`;
}

const POSTURE_SAYS: Readonly<Record<EnvPosture, string>> = {
  dev: 'synthetic stand-ins, certificates labelled as such; never for a host that matters',
  test: 'real keys, not production',
  prod: 'everything enforced; no stand-in is accepted',
};

/** For the machine, the unit hands the CA key over as a credential: the daemon's user can't read the file. */
const PLACE_SAYS = {
  user: 'ca: { key: ca_ed25519 }',
  system: `# Root's file beside this one, which the unit hands over (LoadCredential=ca_ed25519:/etc/warden/ca_ed25519).
ca: { key: "credential:ca_ed25519" }
# As wardend.socket has it: who is in the group may connect, and is told apart then.
socket: { mode: "0660", group: warden }
# Who may reload, revoke and see full explanations.
admins: [{ uid: 0 }]`,
} as const;

export function wardenYaml(posture: EnvPosture, place: keyof typeof PLACE_SAYS = 'user'): string {
  return `# Settings of wardend. Changes are read by themselves; \`warden check\` validates them first.
version: 1
posture: ${posture}    # ${POSTURE_SAYS[posture]}
backend: local
${PLACE_SAYS[place]}
# Nothing longer is ever signed, whatever an actor's own maximum says.
ttl_ceilings_hours: { adm: 48, agt: 24, atm: 8 }
policy:
  # true: a flex-auth decision point is asked before every certificate (warden smoke policy tries it).
  enabled: false
  flex_auth_url: http://127.0.0.1:8080
  fail_closed: true
`;
}

/** An inventory with the caller as its one actor, and an agent to uncomment. */
export function inventoryYaml(actor: string, username: string, uid: number): string {
  const principal = PRINCIPAL.test(username) ? username : actor;
  return `# Who may be signed for. \`warden check --diff\` says who gains and who loses what before you save.
version: 1
actors:
  - name: ${actor}
    type: adm
    principals: [${JSON.stringify(principal)}]
    ttl_hours: 8
    max_ttl_hours: 24
    callers: [{ uid: ${uid} }]
#  - name: agt-example                # an AI agent
#    type: agt
#    principals: [agt-example]
#    ttl_hours: 1
#    max_ttl_hours: 8
#    maturity: M1
#    callers: [{ user: agent, unit: agent.service }]
`;
}
