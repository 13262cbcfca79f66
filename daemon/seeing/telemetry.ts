import { isDeepStrictEqual } from 'node:util';
import type { TelemetrySettings } from '../../src/config/snapshot.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { Spans } from '../../src/kernel/spans.ts';
import type { Trace } from '../../src/kernel/trace.ts';
import type { FileLedger } from '../../src/ledger/file-ledger.ts';
import { CREDENTIAL_METHOD, type RequestEnd } from '../../src/rpc/admit.ts';
import type { Log } from '../log.ts';
import { createOtlp, type Otlp, type TelemetryCounts } from './otlp.ts';

interface Following {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

const LAST_MS = 2_000;
const NONE: TelemetryCounts = { sent: 0, failed: 0, dropped: 0 };

/** Ledger records and requests for an OpenTelemetry collector, as the config in force wants it. */
export class Telemetry {
  readonly #ledger: FileLedger;
  readonly #log: Log;
  readonly #clock: Clock;
  #settings: TelemetrySettings | null = null;
  #otlp: Otlp | null = null;
  #following: Following | null = null;
  /** The last record that was handed over. */
  #seq = 0n;
  #fault = '';

  constructor(ledger: FileLedger, log: Log, clock: Clock) {
    this.#ledger = ledger;
    this.#log = log;
    this.#clock = clock;
  }

  get counts(): TelemetryCounts {
    return this.#otlp?.counts() ?? NONE;
  }

  /** A sentence where something is lost; "" where nothing is. */
  get notice(): string {
    if (this.#fault !== '') return this.#fault;
    const { failed, dropped } = this.counts;
    if (failed + dropped === 0) return '';
    return `telemetry: ${failed} records were not taken by ${this.#settings?.endpoint}, ${dropped} were dropped before`;
  }

  /** For the steps of a request that began then, in monotonic milliseconds; null where nobody collects its spans. */
  spans(trace: Trace, beganAt: number): Spans | null {
    if (this.#otlp === null || this.#settings?.traces !== true || !trace.sampled) return null;
    return new Spans(trace, this.#clock, beganAt, (span) => this.#otlp?.span(span));
  }

  requestEnded({ method, context, error, durationMs }: RequestEnd): void {
    if (context === null || context.spans === null) return;
    const reason = error?.code ?? '';
    const overGrpc = method !== CREDENTIAL_METHOD;
    this.#otlp?.span({
      name: overGrpc ? `warden.v1.Warden/${method}` : method,
      kind: 'server',
      trace: context.trace,
      began: context.spans.began,
      durationMs,
      fault: reason,
      facts: {
        ...(overGrpc ? { 'rpc.system': 'grpc', 'rpc.service': 'warden.v1.Warden', 'rpc.method': method } : {}),
        'warden.request_id': context.requestId,
        ...(reason === '' ? {} : { 'warden.reason': reason }),
      },
    });
  }

  /** Never rejects. */
  async apply(settings: TelemetrySettings | null): Promise<void> {
    if (isDeepStrictEqual(settings, this.#settings) && this.#fault === '') return;
    await this.close();
    this.#settings = settings;
    this.#fault = '';
    if (settings === null) return;
    try {
      this.#otlp = createOtlp(settings);
    } catch (cause) {
      this.#fault = `telemetry is not sent to ${settings.endpoint}`;
      this.#log.error({ endpoint: settings.endpoint, cause: String(cause) }, 'telemetry not sent');
      return;
    }
    const { logs, traces, endpoint } = settings;
    this.#log.info({ endpoint, logs, traces }, 'telemetry sent');
    if (logs) this.#following = this.#follow(this.#otlp);
  }

  /** Hands over what is on record by now, and waits for the collector, two seconds at most. */
  async close(): Promise<void> {
    const otlp = this.#otlp;
    if (otlp === null) return;
    const until = performance.now() + LAST_MS;
    while (this.#following !== null && this.#seq < this.#ledger.status().seq && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 5));
    this.#following?.stop.abort();
    await this.#following?.done;
    this.#following = null;
    this.#otlp = null;
    await otlp.close(Math.max(100, until - performance.now()));
  }

  #follow(otlp: Otlp): Following {
    const stop = new AbortController();
    this.#seq = this.#ledger.status().seq;
    const read = async (): Promise<void> => {
      for await (const { record } of this.#ledger.follow({}, stop.signal)) {
        this.#seq = BigInt(record.seq);
        otlp.record(record);
      }
    };
    const done = read().catch((cause: unknown) => {
      this.#fault = 'telemetry: the ledger cannot be followed';
      this.#log.error({ cause: String(cause) }, 'telemetry not sent');
    });
    return { stop, done };
  }
}
