import type { Route } from '../access/route.ts';
import { type Walked, walkRoute } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import { asWardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import type { GateOutcome } from './ask-gate.ts';
import { correlationOf, type RequestContext } from './context.ts';
import { type Admit, decideFetch, type FetchInput } from './decide-fetch.ts';
import { FOR_REAL } from './decision-walk.ts';
import { ownerEvidence } from './route-evidence.ts';
import { checkStillThere } from './route-gate.ts';
import { Trail } from './trail.ts';

export interface FetchOutput {
  readonly route: Route;
  readonly actor: Actor;
  /** To be disposed of once the answer is encoded. */
  readonly walked: Walked;
  readonly gate: GateOutcome;
  readonly receipt: LedgerReceipt;
}

/**
 * One secret value, from request to release: decided step by step, read from its owner only when every step held, and
 * released only to who asked and once it is durable in the ledger.
 * @throws WardenError recorded, with the number of its record
 */
export async function fetchSecret(input: FetchInput, context: RequestContext, admit?: Admit): Promise<FetchOutput> {
  const { world, services, connection, signal } = context;
  const trail = new Trail('fetch', context);
  let walked: Walked | null = null;
  try {
    const { route, actor, fields, gate } = await decideFetch(input, context, trail, FOR_REAL, admit);

    walked = await walkRoute(world.lanes, {
      route,
      posture: world.snapshot.settings.posture,
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
