import type { CommandSlots } from '../access/command-slots.ts';
import type { Lanes } from '../access/lanes.ts';
import type { Recorder } from '../access/recorder.ts';
import type { Walked } from '../access/walk.ts';
import type { AttestedConnection } from '../callers/connection.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RequestId } from '../kernel/request-id.ts';
import type { Correlation, Spans } from '../kernel/spans.ts';
import type { Timers } from '../kernel/timers.ts';
import { type Trace, traceparent } from '../kernel/trace.ts';
import type { DayCounts } from '../ledger/day-counts.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { BreakGlass } from '../policy/break-glass.ts';
import type { ClaimsVerifier } from '../policy/claims.ts';
import type { Gate } from '../policy/gate.ts';
import type { RestraintKeeper } from '../revocation/restraint-keeper.ts';
import type { CertificateAuthority } from '../signing/certificate-authority.ts';
import type { SerialSource } from '../signing/serial.ts';
import type { CallerFacts } from './caller-facts.ts';

/**
 * Everything that a reload swaps, behind one reference: a request reads it once and holds it to its end, so
 * that no request ever mixes two snapshots.
 */
export interface World {
  readonly snapshot: Snapshot;
  /** Null where `policy.enabled` is false. */
  readonly gate: Gate | null;
  /** Null where no actor type needs claims. */
  readonly claims: ClaimsVerifier | null;
  readonly authority: CertificateAuthority;
  /** The ways to secrets. */
  readonly lanes: Lanes;
}

/** What lives as long as the daemon. */
export interface Services {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly serials: SerialSource;
  /** What is revoked, and whether anything is released at all. */
  readonly restraints: RestraintKeeper;
  readonly breakGlass: BreakGlass;
  readonly quotas: DayCounts;
  readonly facts: CallerFacts;
  readonly counters: Counters;
  readonly timers: Timers;
  readonly slots: CommandSlots;
  /** Null: no session at a terminal is recorded. */
  readonly recorder: Recorder | null;
  /** Renews what was leased for a command until the answer is called. */
  keepLease(walked: Walked, route: string): () => void;
}

export interface Counters {
  certificatesIssued: number;
  refusals: number;
  requestsInFlight: number;
}

/** One request: who asks, under which world, until when. */
export interface RequestContext {
  readonly requestId: RequestId;
  readonly trace: Trace;
  /** Null where nobody collects them. */
  readonly spans: Spans | null;
  readonly connection: AttestedConnection;
  readonly world: World;
  readonly services: Services;
  /** Aborts when the client goes away or its deadline passes. */
  readonly signal: AbortSignal;
}

/** What outside systems are told of a request. */
export function correlationOf({
  requestId,
  trace,
  spans,
}: Pick<RequestContext, 'requestId' | 'trace' | 'spans'>): Correlation {
  return { requestId, traceparent: traceparent(trace), tracestate: trace.state, spans };
}
