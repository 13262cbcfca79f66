import { createRequire } from 'node:module';
import { REASONS } from '../../src/kernel/reason.ts';
import { describeStatus, type StatusSources } from '../status.ts';
import type { TelemetryCounts } from './otlp.ts';
import type { Tallies } from './tallies.ts';

export interface MetricSources {
  readonly status: StatusSources;
  readonly tallies: Tallies;
  readonly telemetry: () => TelemetryCounts;
}

export interface Metrics {
  readonly contentType: string;
  /** How long a request took, in seconds. */
  observe(method: string, seconds: number): void;
  /** The exposition of this moment. */
  text(): Promise<string>;
  /** Lets go of the timers and observers that measure the process. */
  close(): void;
}

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** How often the delay of the event loop is sampled, in milliseconds. */
const DELAY_PRECISION_MS = 100;

/**
 * Everything measured, as Prometheus reads it. No label holds a name of anybody: methods, reasons, parts and states
 * are closed lists. Values are read when somebody asks, but for how long requests took. Loads prom-client, which is not loaded
 * before somebody configured `metrics.listen`.
 */
export function createMetrics({ status, tallies, telemetry }: MetricSources): Metrics {
  const load = createRequire(import.meta.url);
  const { Registry, Gauge, Counter, Histogram, collectDefaultMetrics } = load(
    'prom-client',
  ) as typeof import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: DELAY_PRECISION_MS });
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `warden_${name}`, help, labelNames: [...labelNames], registers });
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name: `warden_${name}_total`, help, labelNames: [...labelNames], registers });

  const info = gauge('info', 'What runs; always 1.', ['version', 'posture', 'mode', 'backend']);
  const requests = counter('requests', 'Requests that ended, by method, outcome and reason.', [
    'method',
    'outcome',
    'reason',
  ]);
  const durations = new Histogram({
    name: 'warden_request_duration_seconds',
    help: 'How long requests took, refused ones included.',
    labelNames: ['method'],
    buckets: BUCKETS,
    registers,
  });
  const inFlight = gauge('requests_in_flight', 'Requests under way.');
  const connections = gauge('connections', 'Callers connected.');
  const commands = gauge('exec_running', 'Commands that run.');
  const certificates = counter('certificates_issued', 'Certificates released.');
  const refusals = counter('refusals', 'Everything refused, before its method was known too.');
  const generation = gauge('config_generation', 'Of the config in force.');
  const loadedAt = gauge('config_loaded_timestamp_seconds', 'When the config in force was loaded.');
  const inForce = gauge('config_newest_in_force', '1 where the newest files are in force, 0 where they have problems.');
  const actors = gauge('actors', 'Actors in the inventory.');
  const routes = gauge('routes', 'Routes in the catalogue.');
  const ledgerSeq = gauge('ledger_seq', 'Number of the last record.');
  const ledgerWritable = gauge('ledger_writable', '1 where releases can be recorded, 0 where nothing is released.');
  const counted = counter('ledger_refusals_counted', 'Refusals that are in counted records only.');
  const up = gauge('dependency_up', '1 where a part serves, 0 where not; absent where it is not in use.', ['name']);
  const asked = counter('policy_asked', 'Questions that reached for the decision point.');
  const cacheHits = counter('policy_cache_hits', 'Decisions from the cache.');
  const shared = counter('policy_shared', "Requests that shared another's question.");
  const faults = counter('policy_faults', 'Questions that the decision point did not answer.');
  const breaker = gauge('policy_breaker', '1 for the state that the breaker is in.', ['state']);
  const cacheEntries = gauge('policy_cache_entries', 'Decisions held.');
  const policyInFlight = gauge('policy_in_flight', 'Questions under way.');
  const glass = gauge('break_glass_open', '1 while the break-glass is open.');
  const exported = counter('telemetry', 'Records and spans for the OpenTelemetry collector, by what became of them.', [
    'result',
  ]);
  const lockdown = gauge('lockdown', '1 while nothing is released.');

  function fill(): void {
    const now = describeStatus(status, false);
    const { snapshot, ledger, policy } = now;
    info.reset();
    info.set({ version: now.version, posture: now.posture, mode: now.mode, backend: now.backend }, 1);
    requests.reset();
    for (const [method, ends] of tallies.methods) {
      for (const [reason, count] of ends)
        requests.inc({ method, outcome: outcomeOf(reason), reason: reason || 'none' }, count);
    }
    inFlight.set(now.requestsInFlight);
    connections.set(now.connections);
    commands.set(status.services.slots.running);
    setCounter(certificates, now.certificatesIssued);
    setCounter(refusals, now.refusals);
    generation.set(Number(snapshot?.generation ?? 0n));
    loadedAt.set((snapshot?.loadedAt?.getTime() ?? 0) / 1000);
    inForce.set(snapshot?.problems.length === 0 ? 1 : 0);
    actors.set(snapshot?.actors ?? 0);
    routes.set(snapshot?.routes ?? 0);
    ledgerSeq.set(Number(ledger?.seq ?? 0n));
    ledgerWritable.set(ledger?.writable ? 1 : 0);
    setCounter(counted, ledger?.refusalsCounted ?? 0n);
    up.reset();
    for (const { name, state } of now.dependencies) if (state !== 'off') up.set({ name }, state === 'serving' ? 1 : 0);
    setCounter(asked, policy?.asked ?? 0n);
    setCounter(cacheHits, policy?.cacheHits ?? 0n);
    setCounter(shared, policy?.shared ?? 0n);
    setCounter(faults, policy?.faults ?? 0n);
    for (const state of ['closed', 'open', 'half_open']) breaker.set({ state }, policy?.breaker === state ? 1 : 0);
    cacheEntries.set(policy?.cacheEntries ?? 0);
    policyInFlight.set(policy?.inFlight ?? 0);
    glass.set(policy?.breakGlassUntil === undefined ? 0 : 1);
    exported.reset();
    for (const [result, count] of Object.entries(telemetry())) exported.inc({ result }, count);
    lockdown.set(status.services.restraints.lockdown === null ? 0 : 1);
  }

  return {
    contentType: registry.contentType,
    observe: (method, seconds) => durations.observe({ method }, seconds),
    async text() {
      fill();
      return registry.metrics();
    },
    close: () => registry.clear(),
  };
}

function setCounter(counter: { reset(): void; inc(by: number): void }, value: bigint): void {
  counter.reset();
  counter.inc(Number(value));
}

function outcomeOf(reason: keyof typeof REASONS | ''): 'ok' | 'refused' | 'failed' {
  if (reason === '') return 'ok';
  const { kind } = REASONS[reason];
  return kind === 'refused' || kind === 'usage' ? 'refused' : 'failed';
}
