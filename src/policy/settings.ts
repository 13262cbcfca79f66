import type { Selector } from '../callers/caller.ts';
import type { ActorType } from '../inventory/actor.ts';

/** `policy:` of warden.yaml, validated. Times in milliseconds, paths absolute. */
export interface PolicySettings {
  readonly enabled: boolean;
  readonly protocol: 'flex-auth' | 'authzen';
  readonly url: string;
  readonly caFile: string | null;
  readonly failClosed: boolean;
  readonly tenant: string;
  readonly subjectEnv: string;
  readonly system: string;
  readonly gate: readonly ('sign' | 'fetch' | 'exec' | 'host')[];
  readonly auth: {
    readonly bearerFile: string | null;
    readonly clientCert: { readonly certFile: string; readonly keyFile: string } | null;
    readonly peerUid: number | null;
  };
  readonly timeoutMs: number;
  readonly cacheTtlMs: number;
  readonly healthPath: string | null;
  readonly requireClaimsFor: readonly ActorType[];
  readonly claims: {
    readonly issuer: string;
    readonly audience: string;
    readonly jwksUri: string | null;
    readonly jwksFile: string | null;
    readonly clockSkewMs: number;
  };
  readonly breakGlass: { readonly callers: readonly Selector[]; readonly maxMs: number };
}
