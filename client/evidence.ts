import { formatSeconds } from '../src/kernel/duration.ts';
import { WardenError } from '../src/kernel/errors.ts';
import type { CertificateEvidence, SignResponse } from '../src/rpc/generated/warden/v1/warden.ts';
import type { Output } from './output.ts';

/** The answer of a sign, whole: the certificate line and what is known of it. @throws WardenError internal */
export function readSignResponse(response: SignResponse): { certificate: string; evidence: CertificateEvidence } {
  const { certificate, evidence } = response;
  // It goes into a file that ssh reads and onto terminals: one line, printable, and nothing else.
  if (
    evidence === undefined ||
    !/^[a-z0-9@.-]+-cert-v01@openssh\.com [A-Za-z0-9+/]+=* [\x20-\x7e]+$/.test(certificate)
  ) {
    throw new WardenError('internal', 'the daemon answered with something that is no certificate line', {
      hint: 'make daemon and client the same version',
      ...(evidence !== undefined && { requestId: evidence.requestId }),
    });
  }
  return { certificate, evidence };
}

/** The evidence as --json shows it: names as in the ledger, times RFC 3339, serial as decimal text. */
export function evidenceJson(evidence: CertificateEvidence): Record<string, unknown> {
  return {
    serial: String(evidence.serial),
    key_id: evidence.keyId,
    fingerprint: evidence.fingerprint,
    principals: evidence.principals,
    valid_after: evidence.validAfter?.toISOString(),
    valid_before: evidence.validBefore?.toISOString(),
    ttl_seconds: evidence.ttlSeconds,
    policy_decision_id: evidence.policyDecisionId || undefined,
    policy_effect: evidence.policyEffect,
    policy_reason: evidence.policyReason || undefined,
    policy_cached: evidence.policyCached,
    backend: evidence.backend,
    posture: evidence.posture,
    generation: evidence.generation,
    ledger_seq: evidence.ledgerSeq,
    request_id: evidence.requestId,
    ca_fingerprint: evidence.caFingerprint,
  };
}

/** Three or four lines for a person. */
export function printEvidence(out: Output, where: string, evidence: CertificateEvidence): void {
  const until = evidence.validBefore === undefined ? '' : `, until ${shortTime(evidence.validBefore)}`;
  const ttl = formatSeconds(Number(evidence.ttlSeconds));
  out.note({ text: 'certificate', style: 'green' }, ` ${where}`);
  out.note(`  for ${evidence.principals.join(', ')} · ${ttl}${until} · serial ${evidence.serial}`);
  const decision = evidence.policyDecisionId === '' ? '' : ` · decision ${evidence.policyDecisionId}`;
  const released = evidence.policyEffect === 'fault' ? ' · released under break-glass' : '';
  out.note(`  ledger ${evidence.ledgerSeq}${decision}${released} · request ${evidence.requestId}`);
  if (evidence.posture === 'dev') {
    out.note({
      text: '  synthetic: the CA of the dev posture; trust it in sandboxes only',
      style: 'yellow',
    });
  }
}

/** `2026-06-24 10:00:00Z`. */
export function shortTime(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}
