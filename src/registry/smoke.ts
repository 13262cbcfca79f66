import { WardenError } from '../kernel/errors.ts';

/** The evidence of one check: exactly these keys, in this order, and no secret among them. */
export interface SmokeEvidence {
  readonly actor: string;
  readonly policy_decision_id: string;
  readonly effect: string;
  readonly reason: string;
  /** "local" | "openbao" | "synthetic"; "" where nothing was issued and the daemon did not say. */
  readonly backend: string;
  readonly certificate_issued: boolean;
  /** One for both checks of a run. */
  readonly smoke_id: string;
  /** RFC 3339 UTC, milliseconds. */
  readonly time: string;
}

export interface SmokeRequest {
  readonly check: 'allow' | 'deny';
  readonly actor: string;
  /** Null: the actor's default. */
  readonly ttlSeconds: number | null;
  /** To be recorded with the request, so that the ledger can be searched for it. */
  readonly smokeId: string;
}

/** What came back for one request, released or refused. */
export interface SmokeOutcome {
  readonly policyDecisionId: string;
  /** "allow" | "deny" | "not_asked" | "fault". */
  readonly effect: string;
  /** The decision point's word, else the daemon's reason code. */
  readonly reason: string;
  readonly backend: string;
  readonly certificateIssued: boolean;
}

export interface SmokePlan {
  readonly actor: string;
  /** Of the request that must be allowed. Its key is thrown away, so short is right; null: the actor's default. */
  readonly allowTtlSeconds: number | null;
  /** The TTL that must be refused; 999 h where the user says nothing. */
  readonly denyTtlSeconds: number;
  /** The decision point's protocol need not give a reason. */
  readonly wordless?: boolean;
}

export interface SmokeWorld {
  /** Is the gate on, and does the decision point answer its health check? @throws WardenError with what to do */
  preflight(): Promise<void>;
  /** Asks the daemon. A refusal is an outcome; @throws WardenError where there was no answer to a request at all */
  sign(request: SmokeRequest): Promise<SmokeOutcome>;
  newSmokeId(): string;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface SmokeReport {
  /** 0 as expected, 1 not, 2 unusable: the pre-flight failed, or there was no answer. */
  readonly exit: 0 | 1 | 2;
  readonly evidence: readonly SmokeEvidence[];
  /** What was not as expected, in sentences without a full stop. */
  readonly problems: readonly string[];
}

export const DENY_TTL_SECONDS = 999 * 3600;
const ALLOW_REASON = 'signing_policy_matched';
const DENY_REASON = 'ttl_out_of_bounds';

/** `warden smoke policy`: the pre-flight, one request that must be allowed and one that must be denied. */
export async function smokePolicy(plan: SmokePlan, world: SmokeWorld): Promise<SmokeReport> {
  const evidence: SmokeEvidence[] = [];
  const problems: string[] = [];
  try {
    await world.preflight();
    for (const request of smokeRequests(plan, world.newSmokeId())) {
      const outcome = await world.sign(request);
      evidence.push(evidenceOf(request, outcome, world.now()));
      problems.push(...unexpected(request.check, outcome, plan.wordless ?? false));
    }
  } catch (thrown) {
    if (!(thrown instanceof WardenError)) throw thrown;
    return { exit: 2, evidence, problems: [...problems, `${thrown.message}: ${thrown.hint}`] };
  }
  return { exit: problems.length === 0 ? 0 : 1, evidence, problems };
}

/** One line of the evidence file, without the newline. */
export function formatEvidence(evidence: SmokeEvidence): string {
  return JSON.stringify(evidence);
}

function smokeRequests({ actor, allowTtlSeconds, denyTtlSeconds }: SmokePlan, smokeId: string): SmokeRequest[] {
  return [
    { check: 'allow', actor, ttlSeconds: allowTtlSeconds, smokeId },
    { check: 'deny', actor, ttlSeconds: denyTtlSeconds, smokeId },
  ];
}

function evidenceOf(request: SmokeRequest, outcome: SmokeOutcome, now: number): SmokeEvidence {
  return {
    actor: request.actor,
    policy_decision_id: outcome.policyDecisionId,
    effect: outcome.effect,
    reason: outcome.reason,
    backend: outcome.backend,
    certificate_issued: outcome.certificateIssued,
    smoke_id: request.smokeId,
    time: new Date(now).toISOString(),
  };
}

/**
 * How an outcome differs from what the check expects. A deny needs its decision id and the reason of the rule: a
 * request that failed for another cause proves nothing. `wordless`: the protocol (AuthZEN) need not give reasons.
 */
function unexpected(check: SmokeRequest['check'], outcome: SmokeOutcome, wordless = false): string[] {
  const problems: string[] = [];
  if (outcome.effect !== check) problems.push(`${check} check: the effect is ${outcome.effect || 'missing'}`);
  if (outcome.policyDecisionId === '') problems.push(`${check} check: there is no decision id`);
  if (check === 'allow' && !outcome.certificateIssued) problems.push('allow check: no certificate was issued');
  if (check === 'deny' && outcome.certificateIssued) problems.push('deny check: a certificate was issued');
  if (
    check === 'deny' &&
    outcome.effect === 'deny' &&
    outcome.reason !== DENY_REASON &&
    !(wordless && outcome.reason === '')
  ) {
    problems.push(`deny check: the reason is ${outcome.reason || 'missing'}, not ${DENY_REASON}`);
  }
  if (check === 'allow' && outcome.effect === 'allow' && !['', ALLOW_REASON].includes(outcome.reason)) {
    problems.push(`allow check: the reason is ${outcome.reason}, not ${ALLOW_REASON}`);
  }
  return problems;
}
