import { type Authority, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';

/** The authorities, and what sshd needs to trust them. */
export async function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const { authorities, posture } = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.getAuthorities, {}),
  );
  if (out.json) {
    out.object({ posture, authorities: authorities.map(toJsonAuthority) });
    return 0;
  }
  for (const authority of authorities) {
    const since = authority.since === undefined ? '' : ` · since ${authority.since.toISOString().slice(0, 10)}`;
    out.note(
      `# ${authority.state} · ${authority.fingerprint} · ${authority.backend} · key in ${authority.custody}${since}`,
    );
    out.line(authority.publicKey);
  }
  if (posture === 'dev') out.note({ text: '# synthetic: a dev CA; trust it in sandboxes only', style: 'yellow' });
  out.note('');
  out.note('# on each host: the key lines above (retired ones left out once unused) into /etc/ssh/warden_ca.pub,');
  out.note('# and into /etc/ssh/sshd_config:');
  out.note('TrustedUserCAKeys /etc/ssh/warden_ca.pub');
  out.note('AuthorizedPrincipalsFile /etc/ssh/auth_principals/%u');
  out.note('# then one principal a line (see `warden actors`) into /etc/ssh/auth_principals/LOGIN');
  out.note('# and, once the list of `warden krl` is there (without it sshd lets nobody in):');
  out.note('RevokedKeys /etc/ssh/warden.krl');
  return 0;
}

function toJsonAuthority({
  publicKey,
  fingerprint,
  state,
  backend,
  custody,
  since,
}: Authority): Record<string, unknown> {
  return { public_key: publicKey, fingerprint, state, backend, custody, since: since?.toISOString() };
}
