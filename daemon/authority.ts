import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Snapshot } from '../src/config/snapshot.ts';
import { openDevSession } from '../src/doubles/openbao/dev-session.ts';
import { WardenError } from '../src/kernel/errors.ts';
import type { OpenBaoSession } from '../src/openbao/session.ts';
import type { CertificateAuthority } from '../src/signing/certificate-authority.ts';
import { loadAuthority } from '../src/signing/load-authority.ts';
import { OpenBaoAuthority, readPinnedKey } from '../src/signing/openbao-authority.ts';
import { checkAuthorityPosture } from '../src/signing/posture-rule.ts';
import { loadSyntheticAuthority } from '../src/signing/synthetic-authority.ts';
import type { OpenBaoLink } from './openbao-link.ts';

export interface AuthorityDeps {
  readonly stateDir: string;
  readonly uid: number;
  readonly credentialsDirectory: string | null;
  readonly agentSocket: string | null;
}

/** Does a snapshot ask for the very authority that another one asked for? */
export function sameAuthority(former: Snapshot, next: Snapshot): boolean {
  return isDeepStrictEqual(basis(former), basis(next));
}

/** What an authority hangs on; the roles that actors have of their own only where a double is furnished with them. */
function basis({ settings, actors }: Snapshot): unknown {
  const { posture, backend, ca, openbao = null } = settings;
  if (backend === 'local') return [posture, backend, ca];
  return [posture, backend, openbao, posture === 'dev' ? ownRoles(actors) : []];
}

/** @throws WardenError config_invalid | posture_forbids | ca_unavailable */
export async function chooseAuthority(
  snapshot: Snapshot,
  link: OpenBaoLink | null,
  deps: AuthorityDeps,
): Promise<CertificateAuthority> {
  const { posture, backend, ca } = snapshot.settings;
  if (backend === 'openbao') return posture === 'dev' ? devOpenBao(snapshot, deps) : realOpenBao(snapshot, link, deps);
  // In dev, a CA that the config folder holds must be labelled synthetic; where there is none, one is made.
  if (posture === 'dev' && ca.key.startsWith('/') && !existsSync(ca.key)) {
    return loadSyntheticAuthority(deps.stateDir, deps.uid);
  }
  const { uid, credentialsDirectory, agentSocket } = deps;
  return loadAuthority(ca, { posture, uid, credentialsDirectory, agentSocket });
}

async function realOpenBao(
  { settings }: Snapshot,
  link: OpenBaoLink | null,
  { uid }: AuthorityDeps,
): Promise<CertificateAuthority> {
  const { openbao = null, posture } = settings;
  if (openbao === null || link === null || link.tokens === null) {
    throw new WardenError('config_invalid', 'signing through OpenBao needs openbao.login');
  }
  const caKey = await readPinnedKey(openbao.ssh.ca_public_key, uid);
  checkAuthorityPosture(posture, [{ comment: caKey.comment, state: 'current' }]);
  const session: OpenBaoSession = { client: link.client, tokens: link.tokens };
  return new OpenBaoAuthority({ session, ssh: openbao.ssh, caKey, shared: true });
}

/** The dev posture's: the engine is a double in this process, and signs with the synthetic CA of the state folder. */
async function devOpenBao({ settings, actors }: Snapshot, deps: AuthorityDeps): Promise<CertificateAuthority> {
  const authority = await loadSyntheticAuthority(deps.stateDir, deps.uid);
  const [key] = authority.keys();
  if (key === undefined) throw new WardenError('internal', 'internal error');
  const ssh = settings.openbao?.ssh ?? { mount: 'ssh', roles: { adm: 'adm', agt: 'agt', atm: 'atm' } };
  const roles = [...new Set([...Object.values(ssh.roles), ...ownRoles(actors)])];
  const session = await openDevSession({ authority, mount: ssh.mount, roles });
  return new OpenBaoAuthority({ session, ssh, caKey: { ...key.publicKey, comment: key.comment } });
}

function ownRoles(actors: Snapshot['actors']): string[] {
  return [...actors.values()].flatMap((actor) => actor.openbaoRole ?? []).sort();
}
