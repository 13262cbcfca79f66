import { SYNTHETIC_PREFIX } from '../src/kernel/posture.ts';
import { type Certificate, parseCertificateLine } from '../src/ssh/certificate.ts';
import { parsePublicKeyLine } from '../src/ssh/public-key.ts';
import { readBounded } from './bounded-file.ts';

const MAX_CERTIFICATE_BYTES = 192 * 1024;

export interface Wanted {
  readonly actor: string;
  readonly publicKey: string;
  /** None: whatever the actor has. */
  readonly principals: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Present {
  readonly leftMs: number;
  readonly validBefore: Date;
}

/**
 * The certificate that is there already, where it would do: same key, same actor, the principals asked for, and
 * valid now. Null otherwise, an unreadable file included: then a new one is due.
 */
export function presentCertificate(path: string, wanted: Wanted): Present | null {
  let certificate: Certificate;
  try {
    certificate = parseCertificateLine(readBounded(path, 'the certificate', MAX_CERTIFICATE_BYTES).toString('utf8'));
    if (!certificate.publicKey.blob.equals(parsePublicKeyLine(wanted.publicKey).blob)) return null;
  } catch {
    return null;
  }
  const keyId = certificate.keyId.startsWith(SYNTHETIC_PREFIX)
    ? certificate.keyId.slice(SYNTHETIC_PREFIX.length)
    : certificate.keyId;
  if (!keyId.startsWith(`${wanted.actor}/`)) return null;
  if (wanted.principals.length > 0 && !sameSet(wanted.principals, certificate.principals)) return null;
  const validBefore = Number(certificate.validBefore) * 1000;
  if (Number(certificate.validAfter) * 1000 > wanted.now || validBefore <= wanted.now) return null;
  return { leftMs: validBefore - wanted.now, validBefore: new Date(validBefore) };
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
