import { hash } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import type { LedgerCaller, LedgerEntry } from './record.ts';

/** The most bytes that the caller's part of one record may take. */
const MAX_ENTRY_BYTES = 64 * 1024;
/** The most bytes of a whole line: an entry, and what the ledger adds (under 1 KiB). */
export const MAX_LINE_BYTES = MAX_ENTRY_BYTES + 1024;
export const GENESIS = '0'.repeat(64);

type FieldType = 'string' | 'number' | 'boolean' | 'strings' | 'caller';

/** Every key of an entry in the order in which it is written, and its type. The compiler keeps it complete. */
const ENTRY_FIELDS = {
  kind: 'string',
  outcome: 'string',
  reason: 'string',
  request_id: 'string',
  actor: 'string',
  actor_type: 'string',
  caller: 'caller',
  subject: 'string',
  tenant: 'string',
  claims_subject: 'string',
  policy_decision_id: 'string',
  policy_effect: 'string',
  policy_reason: 'string',
  policy_cached: 'boolean',
  policy_id_source: 'string',
  backend: 'string',
  certificate_issued: 'boolean',
  serial: 'string',
  key_id: 'string',
  fingerprint: 'string',
  principals: 'strings',
  valid_after: 'string',
  valid_before: 'string',
  ttl_hours: 'number',
  posture: 'string',
  generation: 'number',
  route: 'string',
  owner: 'string',
  workload_maturity: 'string',
  required_maturity: 'string',
  data_class: 'string',
  openbao_path: 'string',
  openbao_version: 'number',
  openbao_request_id: 'string',
  token_accessor: 'string',
  lease_id: 'string',
  populated_key_count: 'number',
  smoke_id: 'string',
  command: 'string',
  argv_hmac: 'string',
  exit_code: 'number',
  bytes: 'number',
  duration_ms: 'number',
  user_reason: 'string',
  ticket: 'string',
  break_glass: 'boolean',
  count: 'number',
  changes: 'strings',
  trace_id: 'string',
  action: 'string',
  revoked: 'strings',
} as const satisfies Record<keyof LedgerEntry, FieldType>;

const CALLER_FIELDS = {
  uid: 'number',
  gid: 'number',
  pid: 'number',
  exe: 'string',
  exe_sha256: 'string',
  unit: 'string',
} as const satisfies Record<keyof LedgerCaller, FieldType>;

const entryFields = Object.entries(ENTRY_FIELDS).map(
  ([key, type]) => [key as keyof LedgerEntry, type as FieldType, `,"${key}":`] as const,
);
const callerFields = Object.entries(CALLER_FIELDS).map(
  ([key, type]) => [key as keyof LedgerCaller, type as FieldType, `,"${key}":`] as const,
);

/** Every field name a record can have, in order: what an export may choose from. */
export const RECORD_FIELDS: readonly string[] = [
  'v',
  'seq',
  'prev',
  'time',
  ...Object.keys(ENTRY_FIELDS),
  'signer',
  'signature',
  'hash',
];

class WrongType extends Error {}

/** One value as JSON. Throws where it is of another type. */
export function encodeValue(value: unknown, type: FieldType): string {
  // JSON.stringify escapes control characters and lone surrogates, so a value can't end a line or leave UTF-8.
  switch (type) {
    case 'string':
      if (typeof value === 'string') return JSON.stringify(value);
      break;
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value ? 'true' : 'false';
      break;
    case 'strings':
      if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return JSON.stringify(value);
      break;
    case 'caller':
      if (typeof value === 'object' && value !== null) return encodeCaller(value as LedgerCaller);
      break;
  }
  throw new WrongType();
}

function encodeCaller(caller: LedgerCaller): string {
  let out = '';
  for (const [key, type, prefix] of callerFields) {
    const value = caller[key];
    if (value !== undefined) out += prefix + encodeValue(value, type);
  }
  return `{${out.slice(1)}}`;
}

/** The fields of an entry, each with a comma before it. Throws where a value is of another type. */
export function encodeFields(entry: LedgerEntry): string {
  let out = '';
  for (const [key, type, prefix] of entryFields) {
    const value = entry[key];
    if (value !== undefined) out += prefix + encodeValue(value, type);
  }
  return out;
}

/**
 * The caller's part of a line, from `,"kind"` on, keys in their fixed order.
 * @throws WardenError invalid_request for more than 64 KiB, internal for a value of the wrong type
 */
export function encodeEntry(entry: LedgerEntry): { text: string; bytes: number } {
  let text: string;
  try {
    text = encodeFields(entry);
  } catch (cause) {
    throw new WardenError('internal', 'a ledger record holds a value of the wrong type', { cause });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_ENTRY_BYTES) {
    throw new WardenError(
      'invalid_request',
      `the ledger record would take ${bytes} bytes, at most ${MAX_ENTRY_BYTES}`,
      {
        hint: 'shorten the reason, the ticket or the list of principals',
      },
    );
  }
  return { text, bytes };
}

const CLIPPED_CHARS = 256;

/** As `encodeEntry`, but an entry that is too long is clipped: a refusal is recorded whatever the caller sent. */
export function fitEntry(entry: LedgerEntry): { text: string; bytes: number } {
  try {
    return encodeEntry(entry);
  } catch (thrown) {
    if (!(thrown instanceof WardenError) || thrown.code !== 'invalid_request') throw thrown;
  }
  const clip = (value: string): string => (value.length > CLIPPED_CHARS ? `${value.slice(0, CLIPPED_CHARS)}…` : value);
  const clipped = JSON.parse(JSON.stringify(entry), (_key, value: unknown) => {
    if (typeof value === 'string') return clip(value);
    return Array.isArray(value) ? value.slice(0, 16) : value;
  });
  return encodeEntry(clipped);
}

/** What the ledger itself puts before an entry. */
export function encodeStart(seq: number, prev: string, time: string): string {
  return `{"v":1,"seq":${seq},"prev":"${prev}","time":"${time}"`;
}

export function recordHash(prev: Buffer, body: Buffer): Buffer {
  return hash('sha256', Buffer.concat([prev, body]), 'buffer');
}

/** The bytes under a record's signature: a label, so that it can't serve as any other, `prev`, and the line so far. */
export function signedBytes(prev: Buffer, beforeSignature: Buffer): Buffer {
  return Buffer.concat([Buffer.from('wardend ledger record v1\n'), prev, beforeSignature]);
}

/** Checkpoints and recoveries bear a signature; nothing else does. */
export function isSignedKind(kind: string): boolean {
  return kind === 'checkpoint' || kind === 'recovered';
}
