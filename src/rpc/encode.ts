import { commandText } from '../access/command-match.ts';
import { injectionText } from '../access/injection-plan.ts';
import { fieldsOf, locationFor, storePath } from '../access/route.ts';
import type { Caller } from '../callers/caller.ts';
import type { RequestContext, World } from '../operations/context.ts';
import type { ExecEnded, ExecStarted } from '../operations/exec-peer.ts';
import type { Explanation } from '../operations/explaining.ts';
import type { FetchOutput } from '../operations/fetch.ts';
import type { ListedActor } from '../operations/list-actors.ts';
import type { ListedHost } from '../operations/list-hosts.ts';
import type { ListedRoute } from '../operations/list-routes.ts';
import type { LedgerQuestion } from '../operations/query-ledger.ts';
import type { RevokeOutput } from '../operations/revoke.ts';
import type { SignOutput } from '../operations/sign.ts';
import { formatCertificateLine } from '../ssh/certificate.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { formatPublicKey } from '../ssh/public-key.ts';
import { afterEncoding } from './after-encoding.ts';
import type {
  Actor,
  CallerSeen,
  ExecEnded as ExecEndedMessage,
  ExecStarted as ExecStartedMessage,
  ExplainResponse,
  FetchResponse,
  GetAuthoritiesResponse,
  Host,
  ListRoutesResponse,
  RevokeResponse,
  SignResponse,
} from './generated/warden/v1/warden.ts';
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
      fingerprint: output.fingerprint,
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
    authorities: authority.keys().map(({ publicKey, comment, state, custody, since }) => ({
      publicKey: formatPublicKey(publicKey, comment),
      fingerprint: fingerprint(publicKey.blob),
      state,
      backend: authority.backend,
      custody,
      since: since === undefined ? undefined : toTimestamp(since),
    })),
  };
}

export function toHost({ host, usable }: ListedHost): Host {
  const { name, addresses, purpose, hostCertificate: rule } = host;
  return {
    name,
    addresses: [...addresses],
    purpose,
    principals: [...(rule?.principals ?? [])],
    ttlSeconds: BigInt(rule?.ttlSeconds ?? 0),
    usable,
  };
}

const MAX_SHOWN = 1000;

export function toRevokeResponse(output: RevokeOutput, { services }: RequestContext): RevokeResponse {
  const { number, path } = services.restraints.list();
  return {
    certificates: output.certificates.slice(-MAX_SHOWN).map(({ serial, keyId, actor, validBefore }) => ({
      serial,
      keyId,
      actor,
      validBefore: toTimestamp(validBefore),
    })),
    certificatesTotal: BigInt(output.certificates.length),
    unknown: [...output.unknown],
    expired: BigInt(output.expired),
    listNumber: number,
    listPath: path,
    ledgerSeq: output.receipt?.seq ?? 0n,
  };
}

export function toCallerSeen({ uid, gid, pid, exe, unit, userUnit }: Caller): CallerSeen {
  return { uid, gid, pid, exe: exe ?? '', unit: unit ?? '', userUnit: userUnit ?? '' };
}

export function toActor({ actor, usable, quotas }: ListedActor): Actor {
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
    quotas: quotas.map(({ kind, limit, used, resetsAt }) => ({
      kind,
      limit: BigInt(limit),
      used: BigInt(used),
      resetsAt: toTimestamp(resetsAt),
    })),
  };
}

/** The one place where values leave: their bytes are overwritten once the answer is encoded. */
export function toFetchResponse(output: FetchOutput, { world, requestId }: RequestContext): FetchResponse {
  const { route, actor, walked, gate, receipt } = output;
  const { wrapped, evidence } = walked;
  const { settings, generation } = world.snapshot;
  const response: FetchResponse = {
    fields: [...walked.fields].map(([name, value]) => ({ name, value: value.reveal() })),
    wrappingToken: wrapped === null ? Buffer.alloc(0) : wrapped.token.reveal(),
    wrappingTtlSeconds: BigInt(wrapped?.ttlSeconds ?? 0),
    evidence: {
      route: route.id,
      actor: actor.name,
      owner: route.owner,
      lane: route.lane,
      openbaoPath: evidence?.path ?? '',
      openbaoVersion: BigInt(evidence?.version ?? 0),
      openbaoRequestId: evidence?.requestId ?? '',
      leaseId: evidence?.leaseId ?? '',
      leaseSeconds: BigInt(evidence?.leaseSeconds ?? 0),
      policyDecisionId: gate.decisionId ?? '',
      policyEffect: gate.effect,
      posture: settings.posture,
      double: settings.posture === 'dev',
      generation: BigInt(generation),
      ledgerSeq: receipt.seq,
      requestId,
    },
  };
  afterEncoding(response, () => walked.dispose());
  return response;
}

export function toExecStarted(started: ExecStarted, { world, requestId }: RequestContext): ExecStartedMessage {
  const { actor, command, routes, unmasked } = started;
  const { settings, generation } = world.snapshot;
  return {
    actor: actor.name,
    command: command.program,
    routes: routes.map(({ route, walked: { evidence }, gate, receipt }) => ({
      route: route.id,
      openbaoPath: evidence?.path ?? '',
      openbaoVersion: BigInt(evidence?.version ?? 0),
      leaseId: evidence?.leaseId ?? '',
      policyDecisionId: gate.decisionId ?? '',
      policyEffect: gate.effect,
      ledgerSeq: receipt.seq,
    })),
    unmasked: [...unmasked],
    posture: settings.posture,
    double: settings.posture === 'dev',
    generation: BigInt(generation),
    requestId,
  };
}

export function toExecEnded({ ran, end, durationMs, receipt }: ExecEnded): ExecEndedMessage {
  const { bytes, ended } = ran;
  return {
    exitCode: end.exitCode ?? 0,
    signal: end.signal ?? '',
    reason: ended?.code ?? '',
    message: ended?.message ?? '',
    ledgerSeq: receipt?.seq ?? 0n,
    bytes: BigInt(bytes),
    durationMs: BigInt(durationMs),
  };
}

export function toRoutes(listed: readonly ListedRoute[], { world }: RequestContext): ListRoutesResponse {
  const { posture } = world.snapshot.settings;
  const routes = listed.map(({ route, actors }) => {
    const location = locationFor(route, posture);
    return {
      id: route.id,
      title: route.title,
      owner: route.owner,
      lane: route.lane,
      as: route.as,
      requiredMaturity: route.secret.requiredMaturity,
      dataClass: route.secret.dataClass,
      openbaoPath: location === null ? '' : storePath(route.lane, location),
      fields: [...fieldsOf(route, posture)],
      tool: [...(route.tool?.argv ?? [])],
      fetchCapable: route.fetchCapable,
      execCapable: route.execCapable,
      inject: route.inject.map(injectionText),
      commands: (route.commands ?? []).map(commandText),
      maxDurationSeconds: BigInt(Math.floor(route.maxDurationMs / 1000)),
      allowUnmasked: route.allowUnmasked,
      actors: actors.map(({ actor, usable, refusal }) => ({
        name: actor.name,
        maturity: actor.maturity,
        usable,
        refusal: refusal ?? '',
      })),
    };
  });
  return { routes, posture };
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
