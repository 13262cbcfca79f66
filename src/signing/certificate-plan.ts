import type { ActorType, CertificateOptions } from '../inventory/actor.ts';
import type { PublicKey } from '../ssh/public-key.ts';

/** Everything a certificate will say, decided before any authority is asked. */
export interface CertificatePlan {
  readonly publicKey: PublicKey;
  readonly kind: 'user' | 'host';
  readonly actor: string;
  readonly actorType: ActorType | 'host';
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since the epoch. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly ttlSeconds: number;
  readonly options: CertificateOptions;
  /** Null where the authority chooses (OpenBao). */
  readonly serial: bigint | null;
  /** The actor's own role of OpenBao's SSH engine. Absent or null: the one of its type. */
  readonly openbaoRole?: string | null;
}
