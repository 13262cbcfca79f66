import { usageError } from '../args.ts';
import { askDaemon } from '../ask-daemon.ts';
import { checkWritable, writeAtomically } from '../atomic-file.ts';
import { evidenceJson, printEvidence, readSignResponse, shortTime } from '../evidence.ts';
import { findKey } from '../find-key.ts';
import type { Invocation } from '../invocation.ts';
import { SIGN } from '../sign-method.ts';
import { readSignRequest } from '../sign-request.ts';

/** A certificate for a key that the user holds. The order matters: nothing is issued that could not be written. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const actor = args.positional(0);
  const ifExpiringMs = args.durationMs('if-expiring');
  const key = await findKey(invocation, actor);
  const named = args.string('out');
  const target = named === '-' ? null : (named ?? key.certificatePath);
  if (ifExpiringMs !== undefined && target === null) {
    throw usageError('--if-expiring looks at the present certificate, and stdout holds none', 'name a file with --out');
  }
  const request = readSignRequest(invocation, key.line, 1);
  if (target !== null) checkWritable(target);

  if (ifExpiringMs !== undefined && target !== null) {
    const { presentCertificate } = await import('../present-certificate.ts');
    const present = presentCertificate(target, { ...request, now: Date.now() });
    if (present !== null && present.leftMs > ifExpiringMs) {
      const until = present.validBefore;
      if (out.json) out.object({ actor, renewed: false, certificate_file: target, valid_before: until.toISOString() });
      else out.note(`nothing to do: ${target} lasts until ${shortTime(until)}`);
      return 0;
    }
  }

  const response = await askDaemon(invocation, SIGN, request);
  const { certificate, evidence } = readSignResponse(response);
  if (target !== null)
    writeAtomically({ path: target, bytes: `${certificate}\n`, mode: 0o644, replace: true, durable: false });
  if (out.json) {
    out.object({ actor, renewed: true, certificate_file: target ?? undefined, certificate, ...evidenceJson(evidence) });
  } else if (target === null) out.raw(`${certificate}\n`);
  else {
    printEvidence(out, target, evidence);
    if (key.from === 'agent' && named === undefined) out.note(`  use it: ssh -o CertificateFile=${target} HOST`);
  }
  return 0;
}
