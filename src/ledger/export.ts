import { WardenError } from '../kernel/errors.ts';
import { RECORD_FIELDS } from './line.ts';
import { type LedgerFilter, queryLedger } from './query.ts';
import type { RecordedEntry } from './record.ts';

export interface ExportOptions {
  readonly format: 'jsonl' | 'csv';
  /** Which fields, in this order; absent: in JSON lines the whole record as it stands, in CSV all of them. */
  readonly fields?: readonly string[];
  readonly filter?: LedgerFilter;
}

/**
 * The ledger for other programs, a line at a time (CSV: RFC 4180, a header first).
 * @throws WardenError invalid_request for a field that no record has
 */
export async function* exportLedger(dir: string, options: ExportOptions): AsyncGenerator<string> {
  const { format, fields } = options;
  for (const field of fields ?? []) {
    if (!RECORD_FIELDS.includes(field)) {
      throw new WardenError('invalid_request', `records have no field ${JSON.stringify(field)}`, {
        hint: `choose from: ${RECORD_FIELDS.join(', ')}`,
      });
    }
  }
  const columns = fields ?? RECORD_FIELDS;
  if (format === 'csv') yield `${columns.join(',')}\r\n`;
  for await (const { json, record } of queryLedger(dir, options.filter ?? {})) {
    if (format === 'csv') yield `${columns.map((field) => cell(fieldOf(record, field))).join(',')}\r\n`;
    else if (fields === undefined) yield `${json}\n`;
    else yield `${JSON.stringify(Object.fromEntries(fields.map((field) => [field, fieldOf(record, field)])))}\n`;
  }
}

function fieldOf(record: RecordedEntry, field: string): unknown {
  return (record as unknown as Record<string, unknown>)[field];
}

/** One CSV cell. Text that a spreadsheet would run as a formula is quoted with an apostrophe: callers choose some of it. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const harmless = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
