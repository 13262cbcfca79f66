import { isUtf8 } from 'node:buffer';
import { encodeFields, encodeStart, encodeValue, MAX_LINE_BYTES, recordHash, signedBytes } from './line.ts';
import { LEDGER_KINDS, LEDGER_OUTCOMES, type RecordedEntry } from './record.ts';

/** `,"hash":"<64 hex>"}` at the end of every line, and `,"signature":"<88 base64>"` before it in signed ones. */
const HASH_SUFFIX = 75;
const SIGNATURE_SUFFIX = 103;

export interface InspectedLine {
  readonly record: RecordedEntry;
  /** What its bytes and its `prev` give, hex; equal to `record.hash` where nothing was changed. */
  readonly computed: string;
  /** Of a signed record: the bytes under the signature. */
  readonly signed: Buffer | null;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const HEX64 = /^[0-9a-f]{64}$/;

/**
 * Reads one line (without its newline) and holds it to the one form that the ledger writes: known keys in their
 * order, no spaces, no other spelling of a value. Says in words what is wrong where it is not that form; whether
 * the hash fits is left to the reader.
 */
export function inspectLine(line: Buffer): InspectedLine | string {
  if (line.length > MAX_LINE_BYTES) return `the line is longer than ${MAX_LINE_BYTES} bytes`;
  if (!isUtf8(line)) return 'the line is not UTF-8';
  const text = line.toString('utf8');
  let record: RecordedEntry;
  try {
    record = JSON.parse(text);
  } catch {
    return 'the line is not one JSON object';
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return 'the line is not one JSON object';
  if (record.v !== 1) return 'the line is not a record of version 1';
  if (!Number.isSafeInteger(record.seq) || record.seq < 1) return 'the record has no sequence number';
  if (!isHex(record.prev) || !isHex(record.hash)) return 'the record has no hash';
  if (!isKnown(LEDGER_KINDS, record.kind)) return 'the record is of no known kind';
  if (!isKnown(LEDGER_OUTCOMES, record.outcome)) return 'the record has no known outcome';
  if (typeof record.time !== 'string' || !TIME.test(record.time)) return 'the record has no time';
  if (canonical(record) !== text) return "the line's keys or values are not in the form that the ledger writes";
  const body = line.subarray(0, line.length - HASH_SUFFIX);
  const computed = recordHash(Buffer.from(record.prev, 'hex'), body).toString('hex');
  return { record, computed, signed: record.signature === undefined ? null : signedPart(record, line) };
}

const isHex = (value: unknown): boolean => typeof value === 'string' && HEX64.test(value);
const isKnown = (list: readonly string[], value: unknown): boolean => typeof value === 'string' && list.includes(value);

function canonical(record: RecordedEntry): string | null {
  try {
    let out = encodeStart(record.seq, record.prev, record.time) + encodeFields(record);
    if (record.signer !== undefined) out += `,"signer":${encodeValue(record.signer, 'string')}`;
    if (record.signature !== undefined) out += `,"signature":${encodeValue(record.signature, 'string')}`;
    return `${out},"hash":"${record.hash}"}`;
  } catch {
    return null;
  }
}

function signedPart(record: RecordedEntry, line: Buffer): Buffer {
  return signedBytes(Buffer.from(record.prev, 'hex'), line.subarray(0, line.length - HASH_SUFFIX - SIGNATURE_SUFFIX));
}
