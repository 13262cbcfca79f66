import { asWardenError, WardenError } from '../kernel/errors.ts';
import { type Certificate, parseCertificate, verifyCertificate } from '../ssh/certificate.ts';
import type { CertificateOption } from '../ssh/certificate-options.ts';
import type { AuthorityKey, CertificateAuthority } from './certificate-authority.ts';
import { criticalOptionsOf, extensionsOf } from './certificate-fields.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import { verifyOffLoop } from './verify-off-loop.ts';

/** How far an authority with a clock of its own may be off, in seconds. It dates back by up to 120 s from now, which is 60 s before the plan. */
const FOREIGN_START = { earlier: 60n, later: 90n };
const FOREIGN_END = 60n;

type Issuer = Pick<CertificateAuthority, 'keys' | 'takesSerial' | 'signsInProcess'>;

/**
 * Holds what an authority gave against what it was asked for: the last gate before release. The certificate
 * comes back read, for evidence. The signature is verified, on the thread pool, wherever it was made outside of
 * this process: docs/decisions/0003 says why not within.
 * @throws WardenError ca_mismatch; `privateDetail` names the field, with what was planned and what came
 */
export async function checkIssuedOffLoop(blob: Buffer, plan: CertificatePlan, authority: Issuer): Promise<Certificate> {
  const certificate = checkFields(blob, plan, authority);
  const { publicKey } = signerOf(certificate, authority);
  if (authority.signsInProcess === true) return certificate;
  holdSignature(await verifyOffLoop(publicKey, certificate.tbs, certificate.signature));
  return certificate;
}

/** The same in one step, on the calling thread. @throws WardenError ca_mismatch */
export function checkIssued(blob: Buffer, plan: CertificatePlan, authority: Issuer): Certificate {
  const certificate = checkFields(blob, plan, authority);
  holdSignature(verifyCertificate(certificate, signerOf(certificate, authority).publicKey));
  return certificate;
}

function checkFields(blob: Buffer, plan: CertificatePlan, authority: Issuer): Certificate {
  const certificate = read(blob);
  if (!certificate.publicKey.blob.equals(plan.publicKey.blob))
    throw mismatch('public key', 'the one planned', 'another');
  same('kind', plan.kind, certificate.kind);
  same('key id', plan.keyId, certificate.keyId);
  same('principals', setOf(plan.principals), setOf(certificate.principals));
  checkSerial(plan, certificate, authority.takesSerial);
  checkWindow(plan, certificate, authority.takesSerial);
  same('critical options', pairs(criticalOptionsOf(plan.options)), pairs(certificate.criticalOptions));
  same('extensions', pairs(extensionsOf(plan.options)), pairs(certificate.extensions));
  return certificate;
}

function checkSerial(plan: CertificatePlan, certificate: Certificate, takesSerial: boolean): void {
  if (takesSerial || plan.serial !== null) same('serial', String(plan.serial), String(certificate.serial));
}

function checkWindow(plan: CertificatePlan, certificate: Certificate, exact: boolean): void {
  const { validAfter, validBefore } = certificate;
  if (exact) {
    same('start of validity', String(plan.validAfter), String(validAfter));
    same('end of validity', String(plan.validBefore), String(validBefore));
    return;
  }
  if (validAfter < plan.validAfter - FOREIGN_START.earlier || validAfter > plan.validAfter + FOREIGN_START.later) {
    throw mismatch('start of validity', String(plan.validAfter), String(validAfter));
  }
  if (validBefore < plan.validBefore - FOREIGN_END || validBefore > plan.validBefore + FOREIGN_END) {
    throw mismatch('end of validity', String(plan.validBefore), String(validBefore));
  }
}

/** The authority's own PublicKey object, whose imported form is kept, and not the copy inside the certificate. */
function signerOf(certificate: Certificate, authority: Issuer): AuthorityKey {
  for (const key of authority.keys()) {
    if (key.state === 'current' && key.publicKey.blob.equals(certificate.signatureKey.blob)) return key;
  }
  throw mismatch('signature key', 'a current key of the authority', 'another');
}

function holdSignature(good: boolean): void {
  if (!good) throw mismatch('signature', 'a good one', 'a bad one');
}

function read(blob: Buffer): Certificate {
  try {
    return parseCertificate(blob);
  } catch (error) {
    throw mismatch('form', 'a well-formed certificate', asWardenError(error).message);
  }
}

function same(field: string, planned: string, issued: string): void {
  if (planned !== issued) throw mismatch(field, planned, issued);
}

/** In one order, and with duplicates kept: a principal that stands twice was not planned. */
function setOf(principals: readonly string[]): string {
  return JSON.stringify(principals.toSorted());
}

function pairs(options: readonly CertificateOption[]): string {
  return JSON.stringify(options.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

const LONGEST_DETAIL = 200;

function mismatch(field: string, planned: string, issued: string): WardenError {
  return new WardenError('ca_mismatch', 'the authority answered with another certificate than was asked for', {
    hint: 'tell your administrator; the log of the daemon names the field. Nothing was released',
    privateDetail: `${field}: planned ${planned.slice(0, LONGEST_DETAIL)}, issued ${issued.slice(0, LONGEST_DETAIL)}`,
  });
}
