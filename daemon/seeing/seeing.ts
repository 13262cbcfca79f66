import type { Settings } from '../../src/config/snapshot.ts';
import type { RequestEnd } from '../../src/rpc/call.ts';
import type { Log } from '../log.ts';
import type { StatusSources } from '../status.ts';
import { MetricsLane } from './metrics-lane.ts';
import { Tallies } from './tallies.ts';

/** Whatever looks at the daemon from outside a request: it counts what ends, and tells it to whoever was configured. */
export class Seeing {
  readonly #tallies = new Tallies();
  readonly #metrics: MetricsLane;

  constructor(status: StatusSources, log: Log) {
    this.#metrics = new MetricsLane({ status, tallies: this.#tallies }, log);
  }

  requestEnded({ method, error, durationMs }: RequestEnd): void {
    this.#tallies.count(method, error?.code ?? '');
    this.#metrics.observe(method, durationMs);
  }

  /** To be called with the settings of each new snapshot. Never rejects. */
  async apply(settings: Settings): Promise<void> {
    await this.#metrics.apply(settings.metrics?.listen ?? 'off');
  }

  /** Sentences for the status. */
  notices(): string[] {
    return [this.#metrics.fault].filter((text) => text !== '');
  }

  async close(): Promise<void> {
    await this.#metrics.close();
  }
}
