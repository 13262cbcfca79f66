import type { RequestContext, World } from '../operations/context.ts';
import type { Explanation } from '../operations/explain.ts';
import type { ListedActor } from '../operations/list-actors.ts';
import type { LedgerQuestion } from '../operations/query-ledger.ts';
import type { SignOutput } from '../operations/sign.ts';
import { formatCertificateLine } from '../ssh/certificate.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { formatPublicKey } from '../ssh/public-key.ts';
import type { Actor, ExplainResponse, GetAuthoritiesResponse, SignResponse } from './generated/warden/v1/warden.ts';
import type { LedgerQuery } from './messages.ts';

export function toTimestamp(milliseconds: number): Date {
  return new Date(milliseconds);
}

export function toSignResponse(output: SignOutput, { world, requestId }: RequestContext): SignResponse {
  const { certificate, gate, receipt } = output;
  return {
    certificate: formatCertificateLine(certificate, certificate.keyId),
    evidence: {
      serial: certificate.serial,
      keyId: certificate.keyId,
      fingerprint: fingerprint(certificate.publicKey.blob),
      principals: [...certificate.principals],
      validAfter: toTimestamp(Number(certificate.validAfter) * 1000),
      validBefore: toTimestamp(Number(certificate.validBefore) * 1000),
      ttlSeconds: BigInt(output.ttlSeconds),
      policyDecisionId: gate.decisionId ?? '',
      policyEffect: gate.effect,
      policyReason: gate.reason,
      policyCached: gate.cached,
      backend: output.backend,
      posture: world.snapshot.settings.posture,
      generation: BigInt(world.snapshot.generation),
      ledgerSeq: receipt.seq,
      requestId,
      caFingerprint: fingerprint(certificate.signatureKey.blob),
    },
  };
}

export function toAuthorities({ authority, snapshot }: World): GetAuthoritiesResponse {
  return {
    posture: snapshot.settings.posture,
    authorities: authority.keys().map(({ publicKey, comment, state, custody }) => ({
      publicKey: formatPublicKey(publicKey, comment),
      fingerprint: fingerprint(publicKey.blob),
      state,
      backend: authority.backend,
      custody,
    })),
  };
}

export function toActor({ actor, usable }: ListedActor): Actor {
  return {
    name: actor.name,
    type: actor.type,
    principals: [...actor.principals],
    ttlSeconds: BigInt(actor.ttlSeconds),
    maxTtlSeconds: BigInt(actor.maxTtlSeconds),
    maturity: actor.maturity,
    tenant: actor.tenant,
    allowedSubjects: [...actor.allowedSubjects],
    usable,
  };
}

export function toExplainResponse(explanation: Explanation, { world, requestId }: RequestContext): ExplainResponse {
  const { steps, verdict, error, decisionId, receipt } = explanation;
  return {
    steps: steps.map((step) => ({ ...step })),
    verdict,
    reason: error?.code ?? '',
    message: error?.message ?? '',
    hint: error?.hint ?? '',
    decisionId: decisionId ?? '',
    generation: BigInt(world.snapshot.generation),
    ledgerSeq: receipt?.seq ?? 0n,
    requestId,
  };
}

export function toLedgerQuestion(query: LedgerQuery): LedgerQuestion {
  const filter = {
    ...(query.actor === '' ? {} : { actor: query.actor }),
    ...(query.kind === '' ? {} : { kind: query.kind }),
    ...(query.outcome === '' ? {} : { outcome: query.outcome }),
    ...(query.since === undefined ? {} : { since: query.since.getTime() }),
    ...(query.until === undefined ? {} : { until: query.until.getTime() }),
    ...(query.serial === '' ? {} : { serial: query.serial }),
    ...(query.requestId === '' ? {} : { request_id: query.requestId }),
    ...(query.reason === '' ? {} : { reason: query.reason }),
  };
  return { filter, limit: query.limit === 0 ? 100 : query.limit, follow: query.follow };
}
