import type { AttestedConnection } from '../callers/connection.ts';
import type { ErrorDetails, WardenError } from '../kernel/errors.ts';
import { inStep } from '../kernel/spans.ts';
import type { LedgerCaller, LedgerEntry, LedgerKind, LedgerReceipt } from '../ledger/record.ts';
import type { RequestContext } from './context.ts';
import { countRelease } from './quota.ts';
import { checkStanding } from './standing.ts';

export function ledgerCaller(connection: AttestedConnection): LedgerCaller {
  const { uid, gid, pid, exe, unit, userUnit } = connection.caller;
  const digest = connection.exeSha256Cached();
  const anyUnit = unit ?? userUnit;
  return {
    uid,
    gid,
    pid,
    ...(exe === null ? {} : { exe }),
    ...(digest === null ? {} : { exe_sha256: digest }),
    ...(anyUnit === null ? {} : { unit: anyUnit }),
  };
}

/** Evidence as it gathers while an operation runs: whatever is known when it ends goes into its record. */
export class Trail {
  readonly #kind: LedgerKind;
  readonly #context: RequestContext;
  #known: Partial<LedgerEntry> = {};

  constructor(kind: LedgerKind, context: RequestContext) {
    this.#kind = kind;
    this.#context = context;
  }

  note(evidence: Partial<LedgerEntry>): void {
    this.#known = { ...this.#known, ...evidence };
  }

  /** A trail of its own that begins with all that is known here. */
  fork(evidence: Partial<LedgerEntry>, kind: LedgerKind = this.#kind): Trail {
    const copy = new Trail(kind, this.#context);
    copy.#known = { ...this.#known, ...evidence };
    return copy;
  }

  entry(outcome: LedgerEntry['outcome'], more: Partial<LedgerEntry> = {}): LedgerEntry {
    const { snapshot } = this.#context.world;
    return {
      kind: this.#kind,
      outcome,
      request_id: this.#context.requestId,
      caller: ledgerCaller(this.#context.connection),
      posture: snapshot.settings.posture,
      generation: snapshot.generation,
      trace_id: this.#context.trace.traceId,
      ...this.#known,
      ...more,
    };
  }

  /**
   * The one door to a release: nothing leaves an operation before this resolves, and it does only once the record is
   * durable. Whoever is revoked or has used up its quota by now, and everyone under a lockdown, is refused here whatever
   * was decided before.
   * @throws WardenError locked_down | actor_revoked | key_revoked | quota_exceeded | ledger_unavailable
   */
  async release(more: Partial<LedgerEntry> = {}): Promise<LedgerReceipt> {
    const { actor, fingerprint } = this.#known;
    const undo = await countRelease(this.#kind, actor, this.#context);
    try {
      checkStanding({ actor, fingerprint }, this.#context);
      return await this.#commit(this.entry('ok', more));
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** A durable record of what releases nothing. @throws WardenError ledger_unavailable */
  async record(more: Partial<LedgerEntry> = {}): Promise<LedgerReceipt> {
    return this.#commit(this.entry('ok', more));
  }

  #commit(entry: LedgerEntry): Promise<LedgerReceipt> {
    return this.#inLedger(() => this.#context.services.ledger.append(entry));
  }

  #inLedger<R extends LedgerReceipt | null>(append: () => Promise<R>): Promise<R> {
    return inStep(this.#context, 'ledger commit', 'internal', async (_trace, step) => {
      const receipt = await append();
      if (receipt !== null) step.note({ 'warden.seq': Number(receipt.seq) });
      return receipt;
    });
  }

  #aboutSecret(): boolean {
    return this.#kind === 'fetch' || this.#known.route !== undefined;
  }

  /** What the gate said before the operation ended, whoever ended it: as it is recorded, so it is told. */
  #gateDetails(): ErrorDetails {
    const { policy_effect: policyEffect, policy_decision_id: decisionId, policy_reason: policyReason } = this.#known;
    return {
      ...(policyEffect === undefined ? {} : { policyEffect }),
      ...(decisionId === undefined ? {} : { decisionId, ...(policyReason === undefined ? {} : { policyReason }) }),
    };
  }

  /**
   * Records how an operation ended without effect, and gives the error its ledger number. If even that cannot
   * be written the refusal still stands: the caller hears the first reason, for it changes nothing.
   */
  async refuse(error: WardenError): Promise<WardenError> {
    const { services, requestId } = this.#context;
    services.counters.refusals += 1;
    const outcome = error.kind === 'refused' || error.kind === 'usage' ? 'refused' : 'failed';
    const known = error.with({ requestId, ...this.#gateDetails() });
    if (error.code === 'ledger_unavailable') return known;
    try {
      const entry = this.entry(outcome, {
        reason: error.code,
        ...(this.#aboutSecret() ? {} : { certificate_issued: false }),
      });
      const receipt = await this.#inLedger(() => services.ledger.appendRefusal(entry));
      return receipt === null ? known : known.with({ ledgerSeq: receipt.seq });
    } catch {
      return known;
    }
  }
}
