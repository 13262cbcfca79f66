import type { EnvPosture } from '../kernel/posture.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Correlation } from '../kernel/spans.ts';
import type { Location } from './route.ts';

/** With whose authority the store is asked. A caller's token is for this one request: it is not kept. */
export type Authority = { readonly as: 'caller'; readonly token: Secret } | { readonly as: 'daemon' };

export interface ReadRequest {
  readonly lane: 'openbao-kv' | 'openbao-dynamic';
  readonly location: Location;
  /** Among the location's fields. Nothing else that is at the path is kept. */
  readonly fields: readonly string[];
  readonly authority: Authority;
  /** For the store's own records. */
  readonly correlation?: Correlation | undefined;
  readonly signal: AbortSignal;
}

/** What one read or one lease gave. Whoever gets it disposes of the secrets. */
export interface ReadSecret {
  /** One for each field asked for, in that order. */
  readonly fields: ReadonlyMap<string, Secret>;
  readonly evidence: ReadEvidence;
}

/** What may be recorded of a read. "" and 0 where there is none. */
export interface ReadEvidence {
  /** As in OpenBao's policies: `platform/data/workloads/ci/npm`. */
  readonly path: string;
  readonly version: number;
  readonly requestId: string;
  readonly tokenAccessor: string;
  readonly leaseId: string;
  readonly leaseSeconds: number;
  /** How many keys at the path hold a value. */
  readonly populatedKeys: number;
}

/** A value in the keeping of the store: whoever has the token takes it out once. */
export interface WrappedSecret {
  readonly token: Secret;
  readonly ttlSeconds: number;
}

/** Where values are. A port: operations know this and nothing of OpenBao. */
export interface SecretStore {
  /** True for a synthetic stand-in. */
  readonly double: boolean;
  /** Whose material it holds, as configured; null: nobody said. */
  readonly tier: EnvPosture | null;
  /** Could it answer now? @throws WardenError owner_unavailable | owner_refused for a login of the daemon that is refused */
  ready(signal: AbortSignal): Promise<void>;
  /** @throws WardenError owner_refused | owner_unavailable | secret_missing */
  read(request: ReadRequest): Promise<ReadSecret>;
  /** Puts values behind a single-use token of the store's own. @throws as `read` */
  wrap(fields: ReadonlyMap<string, Secret>, seconds: number, request: ReadRequest): Promise<WrappedSecret>;
  /** Lengthens a lease by as long as it was given for. Comes back with the seconds that it lasts from now. @throws as `read` */
  renew(
    lease: Pick<ReadEvidence, 'leaseId' | 'leaseSeconds'>,
    authority: Authority,
    signal: AbortSignal,
  ): Promise<number>;
  /** Gives a lease back that came to nothing. Never throws: it lapses by itself. */
  release(leaseId: string, authority: Authority, correlation?: Correlation): Promise<void>;
}
