import type { Actor } from '../inventory/actor.ts';
import { describeActor, describeHost, selectorChanges } from './diff-actor.ts';
import { routeChanges } from './diff-routes.ts';
import { settingsChanges } from './diff-settings.ts';
import { sameContent } from './frozen.ts';
import type { Snapshot } from './snapshot.ts';

export interface Changes {
  /** Who gained and who lost what, in words; at most `MAX_LINES`, the rest counted in a last one. */
  readonly lines: readonly string[];
  /** Actors, principals, TTLs or (where the gate asks about them) routes changed: flex-auth's registry no longer mirrors them. */
  readonly registryHandOverDue: boolean;
}

export const MAX_LINES = 100;

/** Actors compared between two pauses. */
const SLICE = 200;

/** What a new state changes, in words. `before` null: the first state, which gains everything. */
export function describeChanges(before: Snapshot | null, after: Snapshot): Changes {
  const steps = changesInSteps(before, after);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same with a pause after every few actors, for whoever must not hold the event loop. */
export function* changesInSteps(before: Snapshot | null, after: Snapshot): Generator<undefined, Changes> {
  if (before === null) {
    return {
      lines: [`first state: ${after.actors.size} actors, ${after.hosts.length} hosts`],
      registryHandOverDue: false,
    };
  }
  const lines = new Lines();
  for (const line of settingsChanges(before.settings, after.settings)) lines.add(line);
  const registry = yield* actorChanges(before.actors, after.actors, lines);
  hostChanges(before, after, lines);
  for (const line of routeChanges(before.routes, after.routes)) lines.add(line);
  return {
    lines: lines.list(),
    registryHandOverDue: registry || registryMoved(before, after) || routesMoved(before, after),
  };
}

function registryMoved(before: Snapshot, after: Snapshot): boolean {
  const { tenant, system } = after.settings.policy;
  return before.settings.policy.tenant !== tenant || before.settings.policy.system !== system;
}

/** Routes are registered for a decision point that is asked about them: `registry build --routes`. */
function routesMoved(before: Snapshot, after: Snapshot): boolean {
  if (!asksForRoutes(after)) return false;
  return registeredRoutes(before) !== registeredRoutes(after);
}

function asksForRoutes({ settings }: Snapshot): boolean {
  return settings.policy.gate.some((action) => action !== 'sign');
}

function registeredRoutes(snapshot: Snapshot): string {
  const routes = asksForRoutes(snapshot) ? [...snapshot.routes.values()] : [];
  return JSON.stringify(
    routes
      .map(({ id, owner, secret, actors, fetchCapable, execCapable }) =>
        JSON.stringify([
          id,
          owner,
          secret.requiredMaturity,
          secret.dataClass,
          [...actors].sort(),
          fetchCapable,
          execCapable,
        ]),
      )
      .sort(),
  );
}

// Says whether the registry is touched.
function* actorChanges(
  before: ReadonlyMap<string, Actor>,
  after: ReadonlyMap<string, Actor>,
  lines: Lines,
): Generator<undefined, boolean> {
  let registry = false;
  let compared = 0;
  for (const old of before.values()) {
    compared += 1;
    if (compared % SLICE === 0) yield;
    if (after.has(old.name)) continue;
    registry = true;
    lines.add(`${old.name}: removed`);
  }
  for (const actor of after.values()) {
    compared += 1;
    if (compared % SLICE === 0) yield;
    const old = before.get(actor.name);
    if (old === actor || (old !== undefined && sameContent(old, actor))) continue;
    registry ||= old === undefined || handedOver(old) !== handedOver(actor);
    if (lines.full) lines.count();
    else if (old === undefined) lines.add(`${actor.name}: added with ${listed(actor.principals)}`);
    else for (const change of describeActor(old, actor)) lines.add(`${actor.name}: ${change}`);
  }
  return registry;
}

function hostChanges(before: Snapshot, after: Snapshot, lines: Lines): void {
  const old = new Map(before.hosts.map((host) => [host.name, host]));
  const names = new Set(after.hosts.map((host) => host.name));
  for (const name of old.keys()) if (!names.has(name)) lines.add(`host ${name}: removed`);
  for (const host of after.hosts) {
    const was = old.get(host.name);
    if (was === undefined) lines.add(`host ${host.name}: added`);
    else if (!sameContent(was, host)) {
      for (const change of describeHost(was, host)) lines.add(`host ${host.name}: ${change}`);
      for (const change of selectorChanges(was.hostCertificate?.callers ?? [], host.hostCertificate?.callers ?? [])) {
        lines.add(`host ${host.name}: ${change}`);
      }
    }
  }
}

/** What of an actor calls for a new registry snapshot, the default TTL with it, as the hand-over's contract has it. */
function handedOver(actor: Actor): string {
  return JSON.stringify([
    actor.type,
    [...actor.principals].sort(),
    actor.ttlSeconds,
    actor.maxTtlSeconds,
    [...actor.allowedSubjects].sort(),
    actor.tenant,
  ]);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ');
  const more = names.length - 8;
  return `principal${names.length === 1 ? '' : 's'} ${shown}${more > 0 ? ` and ${more} more` : ''}`;
}

class Lines {
  readonly #lines: string[] = [];
  #more = 0;

  get full(): boolean {
    return this.#lines.length >= MAX_LINES;
  }

  add(line: string): void {
    if (this.full) this.count();
    else this.#lines.push(line.length > 300 ? `${line.slice(0, 297)}...` : line);
  }

  count(): void {
    this.#more += 1;
  }

  list(): readonly string[] {
    return this.#more === 0 ? this.#lines : [...this.#lines, `and ${this.#more} more changes`];
  }
}
