import type { CredentialFile } from '../http/credential-file.ts';
import { PolicyFault } from './decision-point.ts';

/** The value of the Authorization header. One of the few places that reveal a Secret. @throws PolicyFault untrusted */
export async function authorization(file: CredentialFile): Promise<string> {
  const token = (await file.read()).reveal().toString('latin1').trim();
  // b64token of RFC 6750: whatever else would be a header of its own.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) {
    throw new PolicyFault('untrusted', 'policy.auth.bearer_file holds no bearer token');
  }
  return `Bearer ${token}`;
}
