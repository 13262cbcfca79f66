import type { Correlation } from '../kernel/spans.ts';
import type { PublicKey } from '../ssh/public-key.ts';
import type { CertificatePlan } from './certificate-plan.ts';

export interface AuthorityKey {
  readonly publicKey: PublicKey;
  readonly comment: string;
  readonly state: 'current' | 'next' | 'retired';
  readonly custody: 'file' | 'credential' | 'agent' | 'openbao' | 'memory';
  /** When its file was written, in milliseconds since the epoch: its age. Absent where it is in no file. */
  readonly since?: number;
}

export interface CertifyContext {
  readonly requestId: string;
  /** For outside systems. */
  readonly correlation?: Correlation;
  readonly signal?: AbortSignal;
  /** Takes evidence as it comes about, whether a certificate comes of it or not. */
  readonly note?: (evidence: AuthorityEvidence) => void;
}

/** What an authority of another house leaves for the record, under the ledger's names. */
export interface AuthorityEvidence {
  readonly openbao_path?: string;
  readonly openbao_request_id?: string;
  readonly token_accessor?: string;
}

/** Who puts the signature under a plan. What comes back is held against the plan by `check-issued.ts`, always. */
export interface CertificateAuthority {
  readonly backend: 'local' | 'openbao' | 'synthetic';
  /** True where this authority takes the serial from the plan; false where it chooses its own. */
  readonly takesSerial: boolean;
  /**
   * True where the signature is made in this process, by a key whose public half the authority itself holds its
   * signatures against at load and whenever `ready()` is asked. False or absent: each signature is verified.
   */
  readonly signsInProcess?: boolean;
  /** False where it signs for users alone. Absent: for hosts too. */
  readonly certifiesHosts?: boolean;
  keys(): readonly AuthorityKey[];
  /** The certificate as its wire bytes. @throws WardenError ca_unavailable | ca_refused */
  certify(plan: CertificatePlan, context: CertifyContext): Promise<Buffer>;
  /** Can it sign now? Resolves; @throws WardenError where it cannot. */
  ready(): Promise<void>;
  /** Somebody mended something: what was given up is tried once more. Absent where nothing ever is. */
  retry?(): void;
  close(): Promise<void>;
}
