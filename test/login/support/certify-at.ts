import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../../../src/inventory/actor.ts';
import { newRequestId } from '../../../src/kernel/request-id.ts';
import { checkIssued } from '../../../src/signing/check-issued.ts';
import { finishPlan } from '../../../src/signing/finish-plan.ts';
import { LocalAuthority } from '../../../src/signing/local-authority.ts';
import { planCertificate } from '../../../src/signing/plan.ts';
import { type Certificate, formatCertificateLine } from '../../../src/ssh/certificate.ts';
import { parsePrivateKey } from '../../../src/ssh/private-key.ts';
import { parsePublicKeyLine } from '../../../src/ssh/public-key.ts';
import { keyFolder, type TestKey } from '../../support/ssh-keys.ts';
import type { Subject } from './subjects.ts';

const ACTOR: Actor = {
  name: 'agt-clock',
  type: 'agt',
  principals: ['deploy'],
  ttlSeconds: 3600,
  maxTtlSeconds: 3600,
  maturity: 'M0',
  tenant: 'tenant:platform',
  allowedSubjects: ['agt-clock'],
  callers: null,
  options: { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: [] },
  openbaoRole: null,
};

export interface CertifyAt {
  readonly ca: TestKey;
  readonly subject: Subject;
  /** What the clock showed when it was asked for, in milliseconds since the epoch. */
  readonly now: number;
  readonly ttlSeconds: number;
}

/** The certificate that wardend's signing would have issued at another time: nobody can wait for that in a test. */
export async function certifyAt(
  wanted: CertifyAt,
): Promise<{ readonly file: string; readonly certificate: Certificate }> {
  const { ca, subject, now, ttlSeconds } = wanted;
  const authority = new LocalAuthority({ key: parsePrivateKey(readFileSync(ca.file ?? '')), custody: 'file' });
  const requestId = newRequestId();
  const publicKey = parsePublicKeyLine(subject.line);
  const draft = planCertificate({ actor: ACTOR, publicKey, principals: [], ttlSeconds, now, requestId });
  const plan = finishPlan(draft, { decisionId: null, serial: BigInt(now), posture: 'test' });
  const certificate = checkIssued(await authority.certify(plan, { requestId }), plan, authority);
  const file = join(keyFolder(), `${randomBytes(8).toString('hex')}-cert.pub`);
  writeFileSync(file, `${formatCertificateLine(certificate)}\n`);
  return { file, certificate };
}
