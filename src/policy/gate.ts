import type { PeerUidOf } from '../http/connector.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { createAuthzen } from './authzen.ts';
import { Breaker, type BreakerStatus } from './breaker.ts';
import { DecisionCache } from './cache.ts';
import type { Decision, PolicyQuestion } from './decision.ts';
import { type AskContext, type DecisionPoint, PolicyFault, type PolicyFaultKind } from './decision-point.ts';
import { createFlexAuth } from './flex-auth.ts';
import { createHttpClient, type HttpClientStats, type HttpLimits } from './http-client.ts';
import { questionKey } from './question-key.ts';
import type { PolicySettings } from './settings.ts';
import { SingleFlight } from './single-flight.ts';

/** A decision point as operations use it: cached, shared, guarded by a breaker, and open about its state. */
export interface Gate extends DecisionPoint {
  /** The decision that `decide` would answer from its cache; null where it would ask. Asks nobody. */
  peek(question: PolicyQuestion): Decision | null;
  /** Forgets every decision, those under way included: for a new snapshot. */
  clear(): void;
  status(): GateStatus;
  /** Ends after the calls under way. */
  close(): Promise<void>;
}

export interface GateStatus {
  readonly protocol: PolicySettings['protocol'];
  readonly url: string;
  readonly double: boolean;
  readonly failClosed: boolean;
  readonly breaker: BreakerStatus;
  /** Calls that reached for the decision point. */
  readonly asked: number;
  readonly cacheHits: number;
  readonly cacheEntries: number;
  /** Requests that shared another's call. */
  readonly shared: number;
  readonly faults: number;
  /** Since the last question that was answered. */
  readonly faultsInARow: number;
  readonly retries: number;
  readonly inFlight: number;
  readonly queued: number;
  /** `at` in milliseconds since the epoch. For administrators: the message may name files. */
  readonly lastFault: { readonly kind: PolicyFaultKind; readonly message: string; readonly at: number } | null;
}

export interface GateDeps {
  readonly clock?: Clock;
  /** Uniform in [0, 1); for the breaker's pauses. */
  readonly random?: () => number;
  /** False in prod. */
  readonly acceptDoubles: boolean;
  /** SO_PEERCRED; needed for `policy.auth.peer_uid`. */
  readonly peerUidOf?: PeerUidOf;
  /** A decision point in this process instead of one over HTTP (dev posture). */
  readonly point?: DecisionPoint;
  readonly limits?: HttpLimits;
}

/** Connects nothing yet. @throws WardenError config_invalid */
export function createGate(settings: PolicySettings, deps: GateDeps): Gate {
  const clock = deps.clock ?? systemClock;
  const { point, httpStats } = choosePoint(settings, deps);
  const cache = new DecisionCache({ ttlMs: settings.cacheTtlMs, clock });
  const flights = new SingleFlight<Decision>();
  const breaker = new Breaker({ clock, random: deps.random ?? Math.random });
  let asked = 0;
  let cacheHits = 0;
  let faults = 0;
  let faultsInARow = 0;
  let lastFault: GateStatus['lastFault'] = null;

  async function ask(question: PolicyQuestion, context: AskContext): Promise<Decision> {
    try {
      const decision = await breaker.run(() => {
        asked += 1;
        return point.decide(question, context);
      });
      if (decision.effect === 'allow' && decision.expiresAt !== null && decision.expiresAt <= clock.now()) {
        throw new PolicyFault('answer', 'the allow had expired when it arrived');
      }
      faultsInARow = 0;
      return decision;
    } catch (error) {
      if (error instanceof PolicyFault) {
        faults += 1;
        faultsInARow += 1;
        lastFault = { kind: error.kind, message: error.message, at: clock.now() };
      }
      throw error;
    }
  }

  return {
    double: point.double,
    async decide(question, context) {
      // Without a cache every request is asked for on its own: not even a call under way is shared.
      if (settings.cacheTtlMs === 0) return ask(question, context);
      const key = questionKey(question);
      const known = cache.get(key);
      if (known !== null) {
        cacheHits += 1;
        return known;
      }
      const { epoch } = cache;
      return flights.run(key, context.signal, async (signal) => {
        const decision = await ask(question, { ...context, signal });
        cache.put(key, decision, epoch);
        return decision;
      });
    },
    async ready(signal) {
      await point.ready(signal);
      breaker.probeNow();
    },
    peek: (question) => (settings.cacheTtlMs === 0 ? null : cache.get(questionKey(question))),
    clear() {
      cache.clear();
      flights.forget();
    },
    status() {
      const http = httpStats();
      return {
        protocol: settings.protocol,
        url: settings.url,
        double: point.double,
        failClosed: settings.failClosed,
        breaker: breaker.status(),
        asked,
        cacheHits,
        cacheEntries: cache.size,
        shared: flights.shared,
        faults,
        faultsInARow,
        retries: http.retries,
        inFlight: http.inFlight,
        queued: http.queued,
        lastFault,
      };
    },
    close: () => point.close(),
  };
}

function choosePoint(
  settings: PolicySettings,
  deps: GateDeps,
): { point: DecisionPoint; httpStats: () => HttpClientStats } {
  if (deps.point !== undefined) {
    return { point: deps.point, httpStats: () => ({ inFlight: 0, queued: 0, retries: 0 }) };
  }
  const { acceptDoubles, peerUidOf, limits } = deps;
  const client = createHttpClient({
    settings,
    acceptDoubles,
    ...(peerUidOf === undefined ? {} : { peerUidOf }),
    ...(limits === undefined ? {} : { limits }),
  });
  const point =
    settings.protocol === 'authzen'
      ? createAuthzen(client, { healthPath: settings.healthPath })
      : createFlexAuth(client);
  return { point, httpStats: client.stats };
}
