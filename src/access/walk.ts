import type { AttestedConnection } from '../callers/connection.ts';
import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { Secret } from '../kernel/secret.ts';
import { type Correlation, inCall } from '../kernel/spans.ts';
import type { Lanes } from './lanes.ts';
import { locationFor, type Route } from './route.ts';
import type { Authority, ReadEvidence, ReadRequest, WrappedSecret } from './secret-store.ts';
import { argvFor, secretIn } from './tool-output.ts';

export interface WalkRequest {
  readonly route: Route;
  readonly posture: EnvPosture;
  /** Among the route's fields. */
  readonly fields: readonly string[];
  readonly actor: Pick<Actor, 'name' | 'tenant'>;
  /** Of the caller. */
  readonly connection: AttestedConnection;
  /** The caller's OpenBao token, for this one request; null where it sent none. */
  readonly token: Secret | null;
  /** 0: the values themselves, as always from a tool. */
  readonly wrapSeconds: number;
  /** For the owner's own records. */
  readonly correlation?: Correlation | undefined;
  readonly signal: AbortSignal;
}

/** What the owner gave. Whoever holds it disposes of it. */
export interface Walked {
  readonly fields: ReadonlyMap<string, Secret>;
  readonly wrapped: WrappedSecret | null;
  /** Null for a tool, which tells nothing of itself. */
  readonly evidence: ReadEvidence | null;
  /** Overwrites every value. */
  dispose(): void;
  /** Gives back what was made for this request, since it is not released after all or was used: once, whoever asks. Never throws. */
  undo(): Promise<void>;
  /** Lengthens what was leased. Comes back with the seconds that it lasts from now. @throws WardenError owner_refused | owner_unavailable */
  renew(signal: AbortSignal): Promise<number>;
}

/**
 * Goes to the owner and nowhere else. That the workload may have the secret has been decided before.
 * @throws WardenError token_missing | route_unusable | secret_missing | owner_refused | owner_unavailable | tool_failed
 */
export function walkRoute(lanes: Lanes, request: WalkRequest): Promise<Walked> {
  return request.route.lane === 'tool' ? walkTool(lanes, request) : walkStore(lanes, request, request.route.lane);
}

async function walkStore({ store }: Lanes, walk: WalkRequest, lane: ReadRequest['lane']): Promise<Walked> {
  const { route, posture, fields, wrapSeconds, correlation, signal } = walk;
  const location = locationFor(route, posture);
  if (store === null || location === null) throw new WardenError('route_unusable', 'the route leads nowhere here');
  const authority = authorityOver(route, walk.token, store.double);
  const read: ReadRequest = { lane, location, fields, authority, correlation, signal };
  const { fields: values, evidence } = await store.read(read);
  const dispose = (): void => {
    for (const value of values.values()) value.dispose();
  };
  let released = evidence.leaseId === '' ? Promise.resolve() : null;
  const undo = (): Promise<void> => {
    released ??= store.release(evidence.leaseId, authority, correlation);
    return released;
  };
  const renew = (until: AbortSignal): Promise<number> => store.renew(evidence, authority, until);
  if (wrapSeconds === 0) return { fields: values, wrapped: null, evidence, dispose, undo, renew };
  try {
    const wrapped = await store.wrap(values, wrapSeconds, read);
    return { fields: new Map(), wrapped, evidence, dispose: () => wrapped.token.dispose(), undo, renew };
  } catch (error) {
    await undo();
    throw error;
  } finally {
    dispose();
  }
}

/**
 * With whose authority a store is read for this route. A double takes anybody: there is nothing to protect.
 * @throws WardenError token_missing
 */
export function authorityOver(route: Pick<Route, 'as'>, token: Secret | null, double: boolean): Authority {
  if (route.as === 'daemon' || double) return { as: 'daemon' };
  if (token === null)
    throw new WardenError('token_missing', 'the route is walked with your own OpenBao token, and there is none');
  return { as: 'caller', token };
}

async function walkTool({ tools }: Lanes, walk: WalkRequest): Promise<Walked> {
  const { route, actor, connection, token, signal } = walk;
  if (route.tool === null) throw new WardenError('route_unusable', 'the route leads nowhere here');
  const argv = argvFor(route.tool, actor);
  const output = await inCall(walk.correlation, 'tool', { 'warden.route': route.id }, () =>
    tools.run({ argv, connection, token: route.owner === 'openbao' ? token : null, signal }),
  );
  try {
    const value = secretIn(output.reveal(), route.tool.output);
    const fields = new Map([[route.tool.output.field, value]]);
    const nothing = async (): Promise<void> => {};
    return {
      fields,
      wrapped: null,
      evidence: null,
      dispose: () => value.dispose(),
      undo: nothing,
      // A tool's value is not leased: it lasts as long as it lasts.
      renew: async () => Number.POSITIVE_INFINITY,
    };
  } finally {
    output.dispose();
  }
}
