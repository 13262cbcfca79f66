import { asWardenError } from '../../src/kernel/errors.ts';
import type { Log } from '../log.ts';
import { createMetrics, type MetricSources, type Metrics } from './metrics.ts';
import { type MetricsServer, serveMetrics } from './metrics-server.ts';

/** The metrics as the config in force wants them: another place, or none, without a restart. */
export class MetricsLane {
  readonly #sources: MetricSources;
  readonly #log: Log;
  #listen = 'off';
  #metrics: Metrics | null = null;
  #server: MetricsServer | null = null;
  #fault = '';
  #turn: Promise<void> = Promise.resolve();

  constructor(sources: MetricSources, log: Log) {
    this.#sources = sources;
    this.#log = log;
  }

  /** Why nothing is served where something should be; "" where all is well. */
  get fault(): string {
    return this.#fault;
  }

  observe(method: string, durationMs: number): void {
    this.#metrics?.observe(method, durationMs / 1000);
  }

  /** Never rejects: a place that cannot be had is told, and takes nothing else down. */
  apply(listen: string): Promise<void> {
    this.#turn = this.#turn.then(() => this.#to(listen));
    return this.#turn;
  }

  close(): Promise<void> {
    return this.apply('off');
  }

  async #to(listen: string): Promise<void> {
    // What failed is tried again: somebody may have mended what no file shows.
    if (listen === this.#listen && this.#fault === '') return;
    this.#listen = listen;
    this.#fault = '';
    await this.#server?.close();
    this.#server = null;
    if (listen === 'off') {
      this.#metrics?.close();
      this.#metrics = null;
      return;
    }
    try {
      this.#metrics ??= createMetrics(this.#sources);
      this.#server = await serveMetrics(listen, this.#metrics);
      this.#log.info({ listen }, 'metrics served');
    } catch (thrown) {
      const error = asWardenError(thrown);
      this.#fault = error.code === 'internal' ? `metrics cannot be served on ${listen}` : error.message;
      this.#log.error(
        { listen, reason: error.code, cause: String(error.cause ?? error.message) },
        'metrics not served',
      );
    }
  }
}
