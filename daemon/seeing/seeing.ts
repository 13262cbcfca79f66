import type { Settings } from '../../src/config/snapshot.ts';
import type { Spans } from '../../src/kernel/spans.ts';
import type { Trace } from '../../src/kernel/trace.ts';
import type { RequestEnd } from '../../src/rpc/admit.ts';
import type { Log } from '../log.ts';
import type { StatusSources } from '../status.ts';
import { Alerts } from './alerts.ts';
import { MetricsLane } from './metrics-lane.ts';
import { Tallies } from './tallies.ts';
import { Telemetry } from './telemetry.ts';

/** Whatever looks at the daemon from outside a request: it counts what ends, and tells it to whoever was configured. */
export class Seeing {
  readonly #tallies = new Tallies();
  readonly #metrics: MetricsLane;
  readonly #alerts: Alerts;
  readonly #telemetry: Telemetry;

  constructor(status: StatusSources, log: Log) {
    const { clock, facts } = status.services;
    this.#telemetry = new Telemetry(status.ledger, log, clock);
    const telemetry = () => this.#telemetry.counts;
    this.#metrics = new MetricsLane({ status, tallies: this.#tallies, telemetry }, log);
    this.#alerts = new Alerts({
      log,
      uid: facts.daemonUid,
      monotonic: () => clock.monotonic(),
      now: () => clock.now(),
      context: () => {
        const { settings, generation } = status.world().snapshot;
        return { posture: settings.posture, generation, ledger_seq: Number(status.ledger.status().seq) };
      },
    });
  }

  spans(trace: Trace, beganAt: number): Spans | null {
    return this.#telemetry.spans(trace, beganAt);
  }

  requestEnded(end: RequestEnd): void {
    const { method, error, durationMs } = end;
    this.#alerts.requestEnded(end);
    this.#tallies.count(method, error?.code ?? '');
    this.#metrics.observe(method, durationMs);
    this.#telemetry.requestEnded(end);
  }

  /** To be called with the settings of each new snapshot. Never rejects. */
  async apply(settings: Settings): Promise<void> {
    this.#alerts.apply(settings.alerts ?? null);
    await this.#telemetry.apply(settings.telemetry ?? null);
    await this.#metrics.apply(settings.metrics?.listen ?? 'off');
  }

  /** Sentences for the status. */
  notices(): string[] {
    return [this.#metrics.fault, this.#telemetry.notice].filter((text) => text !== '');
  }

  async close(): Promise<void> {
    await this.#alerts.close();
    await this.#telemetry.close();
    await this.#metrics.close();
  }
}
