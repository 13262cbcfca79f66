import { WardenError } from '../kernel/errors.ts';
import type { CertificateAuthority } from '../signing/certificate-authority.ts';

type Authority = Pick<CertificateAuthority, 'backend' | 'certifiesHosts'>;

/** @throws WardenError issue_unsupported | host_unsupported */
export function checkPurpose(purpose: 'sign' | 'issue' | 'host', { backend, certifiesHosts }: Authority): void {
  if (purpose === 'host' && certifiesHosts === false) {
    throw new WardenError('host_unsupported', 'the authority has no role that signs for hosts');
  }
  if (purpose === 'issue' && backend === 'openbao') {
    throw new WardenError('issue_unsupported', 'issue is not offered where OpenBao signs');
  }
}
