import type { Route } from '../access/route.ts';
import { routeQuestion } from '../access/route-question.ts';
import type { ReadEvidence } from '../access/secret-store.ts';
import { type Walked, walkRoute } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import { asWardenError } from '../kernel/errors.ts';
import type { Secret } from '../kernel/secret.ts';
import type { LedgerEntry, LedgerReceipt } from '../ledger/record.ts';
import { askGate, type GateOutcome } from './ask-gate.ts';
import { correlationOf, type RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import { checkQuota } from './quota.ts';
import {
  allowedRoute,
  checkConfinement,
  checkLattice,
  checkStillThere,
  checkTier,
  fetchableFields,
  resolveActor,
} from './route-gate.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

export interface FetchInput {
  readonly route: string;
  /** "": the one actor that admits the caller. */
  readonly actor: string;
  /** None: every field of the route. */
  readonly fields: readonly string[];
  /** Refuses where more than one field would be released. */
  readonly single: boolean;
  /** 0: the values themselves. */
  readonly wrapSeconds: number;
  /** The caller's own OpenBao token, for this one request; null: it has none. */
  readonly token: Secret | null;
  readonly subject: string;
  readonly idToken: string;
  readonly reason: string;
  readonly ticket: string;
}

export interface FetchOutput {
  readonly route: Route;
  readonly actor: Actor;
  /** To be disposed of once the answer is encoded. */
  readonly walked: Walked;
  readonly gate: GateOutcome;
  readonly receipt: LedgerReceipt;
}

/**
 * One secret value, from request to release. It reads top to bottom as its security argument: nothing below a line
 * runs unless every line above it held, and nothing is released that is not durable in the ledger.
 */
export async function fetchSecret(
  input: FetchInput,
  context: RequestContext,
  /** Who the workload is, or that this caller may not ask for it. */
  admit: (name: string, context: RequestContext) => Promise<Actor> = resolveActor,
): Promise<FetchOutput> {
  const { world, services, connection, signal } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('fetch', context);
  let walked: Walked | null = null;
  try {
    trail.note({
      route: input.route,
      ...(input.actor === '' ? {} : { actor: input.actor }),
      ...(input.reason === '' ? {} : { user_reason: input.reason }),
      ...(input.ticket === '' ? {} : { ticket: input.ticket }),
    });
    const actor = await admit(input.actor, context);
    checkStanding({ actor: actor.name }, context);
    await checkQuota('fetch', actor, context);
    trail.note({ actor: actor.name, actor_type: actor.type, tenant: actor.tenant, workload_maturity: actor.maturity });

    const route = await allowedRoute(input.route, actor, context);
    trail.note(routeEvidence(route));
    const fields = fetchableFields(route, input, context);

    if (route.lane === 'tool') checkConfinement(route.allowConfinedCaller, 'the tool', context);

    checkLattice(route, actor, context);
    checkTier(route, context);

    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });

    const gate = await askGate(
      routeQuestion({
        action: 'fetch',
        route,
        actor,
        subject: subject.id,
        system: settings.policy.system,
        posture: settings.posture,
        reason: input.reason,
        ticket: input.ticket,
      }),
      context,
      trail,
    );

    walked = await walkRoute(world.lanes, {
      route,
      posture: settings.posture,
      fields,
      actor,
      connection,
      token: input.token,
      wrapSeconds: input.wrapSeconds,
      correlation: correlationOf(context),
      signal,
    });
    trail.note(ownerEvidence(walked.evidence));

    checkStillThere(context);
    const receipt = await trail.release();
    if (gate.opened) services.breakGlass.countRelease();
    return { route, actor, walked, gate, receipt };
  } catch (thrown) {
    walked?.dispose();
    await walked?.undo();
    throw await trail.refuse(asWardenError(thrown));
  } finally {
    input.token?.dispose();
  }
}

/** What is recorded of a route, and may be shown to whoever may ask for it. */
export function routeEvidence(route: Route): Partial<LedgerEntry> {
  return {
    owner: route.owner,
    required_maturity: route.secret.requiredMaturity,
    data_class: route.secret.dataClass,
  };
}

export function ownerEvidence(evidence: ReadEvidence | null): Partial<LedgerEntry> {
  if (evidence === null) return { populated_key_count: 1 };
  const { path, version, requestId, tokenAccessor, leaseId, populatedKeys } = evidence;
  return {
    openbao_path: path,
    ...(version === 0 ? {} : { openbao_version: version }),
    ...(requestId === '' ? {} : { openbao_request_id: requestId }),
    ...(tokenAccessor === '' ? {} : { token_accessor: tokenAccessor }),
    ...(leaseId === '' ? {} : { lease_id: leaseId }),
    populated_key_count: populatedKeys,
  };
}
