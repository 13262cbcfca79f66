import type { CertificateOptions } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { CertificateFields } from '../ssh/certificate.ts';
import type { CertificateOption } from '../ssh/certificate-options.ts';
import type { PublicKey } from '../ssh/public-key.ts';
import type { CertificatePlan } from './certificate-plan.ts';

/** The critical options that a plan asks for, sorted by name as certificates hold them. */
export function criticalOptionsOf(options: CertificateOptions): CertificateOption[] {
  const critical: CertificateOption[] = [];
  if (options.forceCommand !== null) critical.push(['force-command', options.forceCommand]);
  if (options.sourceAddress !== null) critical.push(['source-address', options.sourceAddress]);
  if (options.verifyRequired) critical.push(['verify-required', '']);
  return critical;
}

export function extensionsOf(options: CertificateOptions): CertificateOption[] {
  return options.extensions.map((name) => [name, '']);
}

/** @throws WardenError internal for a plan that was not finished: it has no serial or no key id. */
export function certificateFields(plan: CertificatePlan, signatureKey: PublicKey, nonce: Buffer): CertificateFields {
  if (plan.serial === null || plan.keyId === '') {
    throw new WardenError('internal', 'internal error', { privateDetail: 'the plan has no serial or no key id' });
  }
  return {
    nonce,
    publicKey: plan.publicKey,
    serial: plan.serial,
    kind: plan.kind,
    keyId: plan.keyId,
    principals: plan.principals,
    validAfter: plan.validAfter,
    validBefore: plan.validBefore,
    criticalOptions: criticalOptionsOf(plan.options),
    extensions: extensionsOf(plan.options),
    signatureKey,
  };
}
