import { CheckedFile } from './checked-file.ts';
import type { ReadPem } from './connector.ts';
import { CredentialFile } from './credential-file.ts';
import type { Party } from './party.ts';

/** Certificates: anybody may read them, and nobody else may change them. `setting` names them in messages. */
export function publicPem(party: Party, path: string, setting: string): ReadPem {
  const file = new CheckedFile({ party, path, setting, maxBytes: 1_048_576, confidential: false });
  return () => file.read();
}

/** A private key, for TLS alone. One of the few places that reveal a Secret. */
export function privatePem(party: Party, path: string, setting: string): ReadPem {
  const file = new CredentialFile({ party, path, setting, maxBytes: 65_536 });
  return async () => (await file.read()).reveal();
}
