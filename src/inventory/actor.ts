import type { Selector } from '../callers/caller.ts';
import type { Maturity } from '../kernel/posture.ts';
import type { Quota } from './quota.ts';

export const ACTOR_TYPES = ['adm', 'agt', 'atm'] as const;
export type ActorType = (typeof ACTOR_TYPES)[number];

/** Certificate options of an actor, defaults by type already applied. */
export interface CertificateOptions {
  /** Comma-separated addresses and CIDR blocks, as sshd takes them; null allows any. */
  readonly sourceAddress: string | null;
  readonly forceCommand: string | null;
  readonly verifyRequired: boolean;
  /** `permit-pty` and the like, sorted. */
  readonly extensions: readonly string[];
}

/** A name that certificates are issued to. All times in whole seconds. */
export interface Actor {
  readonly name: string;
  readonly type: ActorType;
  readonly principals: readonly string[];
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly maturity: Maturity;
  readonly tenant: string;
  readonly allowedSubjects: readonly string[];
  /** Null: only the daemon's own uid may ask. */
  readonly callers: readonly Selector[] | null;
  readonly options: CertificateOptions;
  readonly openbaoRole: string | null;
  /** Absent: as much as is asked for. */
  readonly quota?: Quota;
}

export interface Host {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly purpose: string;
  readonly hostCertificate: HostCertificate | null;
}

export interface HostCertificate {
  readonly principals: readonly string[];
  readonly ttlSeconds: number;
  readonly callers: readonly Selector[];
}
