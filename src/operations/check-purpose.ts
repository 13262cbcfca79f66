import { WardenError } from '../kernel/errors.ts';
import type { CertificateAuthority } from '../signing/certificate-authority.ts';

/** @throws WardenError issue_unsupported */
export function checkPurpose(purpose: 'sign' | 'issue', { backend }: Pick<CertificateAuthority, 'backend'>): void {
  if (purpose === 'issue' && backend === 'openbao') {
    throw new WardenError('issue_unsupported', 'issue is not offered where OpenBao signs');
  }
}
