import type { Certificate } from '../../src/ssh/certificate.ts';

/** Gets certificates for the agent's keys. */
export interface Issuer {
  /**
   * A certificate for the public key line, attested, gated and recorded by the daemon.
   * @throws RpcError | WardenError what the daemon says, or that there is none
   */
  issue(actor: string, publicKey: string): Promise<Certificate>;
  /** Would it be issued now? Nothing is issued, and the decision point is not asked. @throws as `issue` */
  permitted(actor: string, publicKey: string): Promise<{ readonly refused: string | null }>;
  /** Is it on the revocation list, so that no host takes it any more? @throws as `issue` */
  revoked(certificate: Certificate): Promise<boolean>;
  /** The names of the actors that this user may ask for. @throws as `issue` */
  actors(): Promise<readonly string[]>;
}
