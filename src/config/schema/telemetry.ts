import * as z from 'zod';
import { isEndpoint, path, text } from './common.ts';

/** `telemetry:` of warden.yaml. */
export const telemetry = z.strictObject({
  otlp: text(
    'neither off nor the base URL of a collector',
    'off, or http://127.0.0.1:4318',
    (value) => value === 'off' || isEndpoint(value, ['http:', 'https:']),
    { 'x-type': 'url' },
  )
    .default('off')
    .describe('Base URL of an OpenTelemetry collector (OTLP over HTTP, JSON); off: nothing is sent.'),
  logs: z.boolean().default(true).describe('Send each ledger record as a log record.'),
  traces: z.boolean().default(true).describe('Send a span for each request whose trace is kept.'),
  bearer_file: path.nullable().default(null).describe('File with a bearer token for the collector; null: none.'),
});
