/**
 * One record of the ledger, keys in the order in which they are written; absent ones are left out. The
 * ledger itself adds `v`, `seq`, `prev`, `time` and `hash`. Evidence only: never a value.
 */
export interface LedgerEntry {
  readonly kind: LedgerKind;
  readonly outcome: 'ok' | 'refused' | 'failed';
  readonly reason?: string;
  readonly request_id?: string;
  readonly actor?: string;
  readonly actor_type?: string;
  readonly caller?: LedgerCaller;
  readonly subject?: string;
  readonly tenant?: string;
  readonly claims_subject?: string;
  readonly policy_decision_id?: string;
  readonly policy_effect?: 'allow' | 'deny' | 'not_asked' | 'fault';
  readonly policy_reason?: string;
  readonly policy_cached?: boolean;
  readonly policy_id_source?: 'pdp' | 'echoed' | 'pep';
  readonly backend?: string;
  readonly certificate_issued?: boolean;
  /** Decimal. */
  readonly serial?: string;
  readonly key_id?: string;
  readonly fingerprint?: string;
  readonly principals?: readonly string[];
  /** RFC 3339 UTC, seconds. */
  readonly valid_after?: string;
  readonly valid_before?: string;
  readonly ttl_hours?: number;
  readonly posture?: string;
  readonly generation?: number;
  readonly route?: string;
  readonly owner?: string;
  readonly workload_maturity?: string;
  readonly required_maturity?: string;
  readonly data_class?: string;
  readonly openbao_path?: string;
  readonly openbao_version?: number;
  readonly openbao_request_id?: string;
  readonly token_accessor?: string;
  readonly lease_id?: string;
  readonly populated_key_count?: number;
  readonly smoke_id?: string;
  readonly command?: string;
  readonly argv_hmac?: string;
  readonly exit_code?: number;
  readonly bytes?: number;
  readonly duration_ms?: number;
  readonly user_reason?: string;
  readonly ticket?: string;
  /** Released while the gate was open under break-glass or fail_closed: false. */
  readonly break_glass?: boolean;
  /** Of a counted record: how many refusals it stands for. */
  readonly count?: number;
  /** Of a reload: who gained and who lost what, in words. */
  readonly changes?: readonly string[];
  /** W3C trace id, 32 hex digits. */
  readonly trace_id?: string;
  /** Of a revocation or a lockdown: in force, or taken back. */
  readonly action?: 'set' | 'lift';
  /** Of a revocation: one `<what> <until> <value>` each; see `src/revocation/change.ts`. */
  readonly revoked?: readonly string[];
}

/** A record as it stands in the file: what was recorded, and what the ledger added to it. */
export interface RecordedEntry extends LedgerEntry {
  readonly v: 1;
  readonly seq: number;
  /** Hash of the record before, hex; 64 zeros in the first. */
  readonly prev: string;
  /** RFC 3339 UTC, milliseconds. */
  readonly time: string;
  /** Of a checkpoint or recovered record: fingerprint of the ledger's key, as `SHA256:…`. */
  readonly signer?: string;
  /** Ed25519, base64, over the 32 bytes of `prev` and the line's bytes before `,"signature"`. */
  readonly signature?: string;
  /** SHA-256 over the 32 bytes of `prev` and the line's bytes before `,"hash"`, hex. */
  readonly hash: string;
}

export const LEDGER_KINDS = [
  'start',
  'stop',
  'reload',
  'sign',
  'issue',
  'host',
  'fetch',
  'exec_start',
  'exec_end',
  'explain',
  'revoke',
  'lockdown',
  'break_glass',
  'checkpoint',
  'recovered',
  'ccr',
  'creds',
] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

export const LEDGER_OUTCOMES = ['ok', 'refused', 'failed'] as const;

export interface LedgerCaller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly exe?: string;
  readonly exe_sha256?: string;
  readonly unit?: string;
}

/** Where a record ended up. */
export interface LedgerReceipt {
  readonly seq: bigint;
  readonly time: string;
}
