import { isDeepStrictEqual } from 'node:util';
import type { Snapshot } from '../src/config/snapshot.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { World } from '../src/operations/context.ts';
import { type ClaimsVerifier, createClaimsVerifier } from '../src/policy/claims.ts';
import { createGate, type Gate } from '../src/policy/gate.ts';
import { createSyntheticDecisionPoint, type SyntheticDecisionPoint } from '../src/policy/synthetic-decision-point.ts';
import { buildRegistry } from '../src/registry/snapshot.ts';
import { native } from '../src/unix/native.ts';
import { chooseAuthority, sameAuthority } from './authority.ts';
import { chooseLanes } from './lanes.ts';
import { chooseOpenBaoLink, type OpenBaoLink } from './openbao-link.ts';

export interface WorldDeps {
  readonly stateDir: string;
  readonly uid: number;
  readonly clock: Clock;
  readonly credentialsDirectory: string | null;
  readonly agentSocket: string | null;
  /** Where wardend-spawner listens, if it is to start the commands. */
  readonly spawner: string | null;
}

/** A world, and what the daemon needs to hand it over to the next one. */
export interface BuiltWorld extends World {
  readonly syntheticPoint: SyntheticDecisionPoint | null;
  readonly openbao: OpenBaoLink | null;
}

/**
 * The adapters that a snapshot asks for: this alone chooses between the real ones and the doubles of the dev
 * posture. What the former world has and the new snapshot does not change is carried over, connections and all.
 * @throws WardenError config_invalid | posture_forbids | ca_unavailable
 */
export async function buildWorld(snapshot: Snapshot, former: BuiltWorld | null, deps: WorldDeps): Promise<BuiltWorld> {
  const openbao = chooseOpenBaoLink(snapshot, former);
  try {
    return await buildAround(openbao, snapshot, former, deps);
  } catch (thrown) {
    if (openbao !== former?.openbao) await openbao?.close();
    throw thrown;
  }
}

async function buildAround(
  openbao: OpenBaoLink | null,
  snapshot: Snapshot,
  former: BuiltWorld | null,
  deps: WorldDeps,
): Promise<BuiltWorld> {
  const { settings } = snapshot;
  const keepsPolicy = former !== null && isDeepStrictEqual(gateBasis(former.snapshot), gateBasis(snapshot));
  const authority =
    former !== null && sameAuthority(former.snapshot, snapshot)
      ? former.authority
      : await chooseAuthority(snapshot, openbao, deps);
  const lanes = chooseLanes(snapshot, former, openbao, deps);
  if (former !== null && keepsPolicy) return { ...former, snapshot, authority, openbao, lanes };
  const syntheticPoint = settings.posture === 'dev' && settings.policy.enabled ? synthetic(snapshot) : null;
  const gate = settings.policy.enabled ? chooseGate(snapshot, syntheticPoint, deps) : null;
  const claims = chooseClaims(snapshot, deps);
  return { snapshot, authority, syntheticPoint, gate, claims, openbao, lanes };
}

/**
 * What a gate hangs on. Not who may break the glass: the pre-flight of a new gate would fail in just the outage in
 * which somebody wants to end a break-glass by taking its caller out of the config.
 */
function gateBasis({ settings }: Snapshot): unknown {
  const { breakGlass: _, ...rest } = settings.policy;
  return rest;
}

/** To be called in the tick of the swap: decisions that an older snapshot led to do not outlive it. */
export function enterWorld(next: BuiltWorld): void {
  next.gate?.clear();
  next.syntheticPoint?.updateRegistry(registryOf(next.snapshot));
}

/** Closes what the former world had and the next one does not; each ends after its last request. */
export async function leaveWorld(former: BuiltWorld, next: BuiltWorld | null): Promise<void> {
  if (former.gate !== next?.gate) await former.gate?.close();
  if (former.claims !== next?.claims) await former.claims?.close();
  if (former.authority !== next?.authority) await former.authority.close();
  // After both that stand on it.
  if (former.openbao !== next?.openbao) await former.openbao?.close();
}

function chooseGate({ settings }: Snapshot, point: SyntheticDecisionPoint | null, { clock }: WorldDeps): Gate {
  return createGate(settings.policy, {
    clock,
    acceptDoubles: settings.posture !== 'prod',
    peerUidOf: (fd) => native().peerCredentials(fd).uid,
    ...(point === null ? {} : { point }),
  });
}

function chooseClaims({ settings }: Snapshot, { clock }: WorldDeps): ClaimsVerifier | null {
  return settings.policy.requireClaimsFor.length > 0 ? createClaimsVerifier(settings.policy.claims, { clock }) : null;
}

function synthetic(snapshot: Snapshot): SyntheticDecisionPoint {
  return createSyntheticDecisionPoint(registryOf(snapshot));
}

/** With the routes: in dev nothing has to be handed over before `policy.gate` may list fetch and exec. */
function registryOf({ actors, routes, settings }: Snapshot) {
  const { tenant, system } = settings.policy;
  return buildRegistry({ actors: [...actors.values()], routes: [...routes.values()], tenant, system });
}
