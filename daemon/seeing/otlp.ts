import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Attributes, SpanContext } from '@opentelemetry/api';
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { TelemetrySettings } from '../../src/config/snapshot.ts';
import type { EndedSpan } from '../../src/kernel/spans.ts';
import type { Trace } from '../../src/kernel/trace.ts';
import type { RecordedEntry } from '../../src/ledger/record.ts';
import { VERSION } from '../version.ts';

export interface TelemetryCounts {
  readonly sent: number;
  /** The collector did not take them. */
  readonly failed: number;
  /** The queue was full. */
  readonly dropped: number;
}

export interface Otlp {
  record(record: RecordedEntry): void;
  span(span: EndedSpan): void;
  counts(): TelemetryCounts;
  /** Sends what is left, for so long at most, and lets go. Never rejects. */
  close(withinMs: number): Promise<void>;
}

/** Of each kind: what waits for the collector, at most. */
const MAX_QUEUE = 2_048;
const BATCH = 512;
const EVERY_MS = 1_000;
const TIMEOUT_MS = 5_000;
/** Of the SDK's log severities. */
const SEVERITY = { ok: 9, refused: 13, failed: 17 } as const;
const WORDS = { ok: 'INFO', refused: 'WARN', failed: 'ERROR' } as const;
/** Of OpenTelemetry's API. */
const SPAN_KINDS = { internal: 0, server: 1, client: 2 } as const;
const STATUS_ERROR = 2;
/** What only the chain needs. */
const NOT_SENT = new Set(['v', 'prev', 'signer', 'signature', 'time', 'argv_hmac']);

/** Over OpenTelemetry's SDK, which is loaded here and not before. @throws where the token's file cannot be read */
export function createOtlp(settings: TelemetrySettings): Otlp {
  const load = createRequire(import.meta.url);
  const api = load('@opentelemetry/api') as typeof import('@opentelemetry/api');
  const { resourceFromAttributes } = load('@opentelemetry/resources') as typeof import('@opentelemetry/resources');
  const logs = load('@opentelemetry/sdk-logs') as typeof import('@opentelemetry/sdk-logs');
  const traces = load('@opentelemetry/sdk-trace-base') as typeof import('@opentelemetry/sdk-trace-base');
  const logExport = load(
    '@opentelemetry/exporter-logs-otlp-http',
  ) as typeof import('@opentelemetry/exporter-logs-otlp-http');
  const traceExport = load(
    '@opentelemetry/exporter-trace-otlp-http',
  ) as typeof import('@opentelemetry/exporter-trace-otlp-http');

  const resource = resourceFromAttributes({ 'service.name': 'wardend', 'service.version': VERSION });
  const base = settings.endpoint.replace(/\/$/, '');
  const headers = bearer(settings.bearerFile);
  const options = (path: string) => ({
    url: `${base}${path}`,
    headers,
    timeoutMillis: TIMEOUT_MS,
    concurrencyLimit: 2,
  });
  const batch = {
    maxQueueSize: MAX_QUEUE * 2,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: EVERY_MS,
    exportTimeoutMillis: TIMEOUT_MS,
  };

  const logQueue = new Queue();
  const spanQueue = new Queue();
  const logExporter = counting<ReadableLogRecord, LogRecordExporter>(
    new logExport.OTLPLogExporter(options('/v1/logs')),
    logQueue,
  );
  const spanExporter = counting<ReadableSpan, SpanExporter>(
    new traceExport.OTLPTraceExporter(options('/v1/traces')),
    spanQueue,
  );
  const logProvider = new logs.LoggerProvider({
    resource,
    processors: [new logs.BatchLogRecordProcessor({ ...batch, exporter: logExporter })],
  });
  const ids = new GivenIds();
  const traceProvider = new traces.BasicTracerProvider({
    resource,
    idGenerator: ids,
    sampler: new traces.AlwaysOnSampler(),
    spanProcessors: [new traces.BatchSpanProcessor(spanExporter, batch)],
  });
  const logger = logProvider.getLogger('wardend.ledger', VERSION);
  const tracer = traceProvider.getTracer('wardend', VERSION);

  return {
    record(record) {
      if (!settings.logs || !logQueue.take()) return;
      logger.emit({
        timestamp: Date.parse(record.time),
        severityNumber: SEVERITY[record.outcome],
        severityText: WORDS[record.outcome],
        eventName: `warden.${record.kind}`,
        body: `${record.kind} ${record.outcome}`,
        attributes: attributesOf(record),
      });
    },
    span({ name, kind, trace, began, durationMs, fault, facts }) {
      if (!spanQueue.take()) return;
      ids.next = trace;
      const traceState = trace.state === '' ? {} : { traceState: api.createTraceState(trace.state) };
      const parent: SpanContext = {
        traceId: trace.traceId,
        spanId: trace.parentId ?? api.INVALID_SPANID,
        traceFlags: api.TraceFlags.SAMPLED,
        isRemote: kind === 'server',
        ...traceState,
      };
      const around = trace.parentId === null ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, parent);
      const span = tracer.startSpan(name, { kind: SPAN_KINDS[kind], startTime: began, attributes: facts }, around);
      if (fault !== '') span.setStatus({ code: STATUS_ERROR, message: fault });
      span.end(began + durationMs);
    },
    counts: () => ({
      sent: logQueue.sent + spanQueue.sent,
      failed: logQueue.failed + spanQueue.failed,
      dropped: logQueue.dropped + spanQueue.dropped,
    }),
    async close(withinMs) {
      const shut = Promise.allSettled([logProvider.shutdown(), traceProvider.shutdown()]);
      await Promise.race([shut, new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
    },
  };
}

/** What waits, and what became of it: the SDK drops without a word. */
class Queue {
  #waiting = 0;
  sent = 0;
  failed = 0;
  dropped = 0;

  /** False where there is no room: then it is counted as dropped. */
  take(): boolean {
    if (this.#waiting >= MAX_QUEUE) {
      this.dropped += 1;
      return false;
    }
    this.#waiting += 1;
    return true;
  }

  done(count: number, well: boolean): void {
    this.#waiting -= count;
    if (well) this.sent += count;
    else this.failed += count;
  }
}

interface Exporter<Item> {
  export(items: Item[], done: (result: { code: number; error?: Error }) => void): void;
}

/** The exporter, with what becomes of each batch counted. */
function counting<Item, E extends Exporter<Item>>(exporter: E, queue: Queue): E {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      queue.done(items.length, result.code === 0);
      done(result);
    });
  return exporter;
}

/** A span gets the id that was sent on already, and its trace the one that the request stands in. */
class GivenIds {
  next: Pick<Trace, 'traceId' | 'spanId'> = { traceId: '', spanId: '' };
  generateTraceId = (): string => this.next.traceId;
  generateSpanId = (): string => this.next.spanId;
}

/** The fields of a record, flat, under the ledger's names. Evidence only: the ledger holds no value. */
export function attributesOf(record: RecordedEntry): Attributes {
  const attributes: Record<string, string | number | boolean | string[]> = {};
  for (const [key, value] of Object.entries(record)) {
    if (NOT_SENT.has(key) || value === undefined) continue;
    if (key === 'caller' && typeof value === 'object')
      for (const [name, part] of Object.entries(value)) attributes[`warden.caller.${name}`] = part as string | number;
    else attributes[`warden.${key}`] = value as string | number | boolean | string[];
  }
  return attributes;
}

function bearer(file: string | null): Record<string, string> {
  return file === null ? {} : { authorization: `Bearer ${readFileSync(file, 'utf8').trim()}` };
}
