import { resolve } from 'node:path';
import { usageError } from '../args.ts';
import { checkWritable, writeAtomically } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import { evidenceJson, printEvidence, readSignResponse, shortTime } from '../evidence.ts';
import { certificatePathOf, readKeyLine } from '../find-key.ts';
import type { Invocation } from '../invocation.ts';
import { presentCertificate } from '../present-certificate.ts';
import { SIGN } from '../sign-method.ts';

const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
/** SignRequest.purpose. */
const PURPOSE_HOST = 3;

/** A host certificate for sshd, beside the key that it is over. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const host = args.positional(0);
  const keyFile = args.string('pubkey') ?? HOST_KEY;
  const publicKey = readKeyLine(keyFile);
  const named = args.string('out') ?? (keyFile === '-' ? '-' : certificatePathOf(keyFile));
  const target = named === '-' ? null : named;
  const ifExpiringMs = args.durationMs('if-expiring');
  if (ifExpiringMs !== undefined && target === null) {
    throw usageError('--if-expiring looks at the present certificate, and stdout holds none', 'name a file with --out');
  }
  const principals = [...args.strings('principal')];
  if (target !== null) checkWritable(target);
  if (ifExpiringMs !== undefined && target !== null) {
    const present = presentCertificate(target, { actor: `host:${host}`, publicKey, principals, now: Date.now() });
    if (present !== null && present.leftMs > ifExpiringMs) {
      const until = present.validBefore;
      if (out.json) out.object({ host, renewed: false, certificate_file: target, valid_before: until.toISOString() });
      else out.note(`nothing to do: ${target} lasts until ${shortTime(until)}`);
      return 0;
    }
  }
  const request = {
    actor: host,
    publicKey,
    ttlSeconds: args.ttlSeconds('ttl'),
    principals,
    purpose: PURPOSE_HOST,
    subject: '',
    idToken: '',
    reason: args.string('reason') ?? '',
    ticket: args.string('ticket') ?? '',
    smokeId: '',
  } as const;
  const response = await withDaemon(invocation, (channel) => channel.unary(SIGN.service, SIGN.method, request));
  const { certificate, evidence } = readSignResponse(response);
  const bytes = `${certificate}\n`;
  if (target !== null) writeAtomically({ path: target, bytes, mode: 0o644, replace: true, durable: true });
  if (out.json) {
    out.object({ host, renewed: true, certificate_file: target ?? undefined, certificate, ...evidenceJson(evidence) });
  } else if (target === null) out.raw(bytes);
  else {
    printEvidence(out, target, evidence);
    out.note(`  in sshd_config: HostCertificate ${resolve(target)}, then reload sshd; clients: warden known-hosts`);
  }
  return 0;
}
