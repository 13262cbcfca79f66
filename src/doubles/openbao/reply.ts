import { randomBytes, randomUUID } from 'node:crypto';
import { SYNTHETIC_PREFIX } from '../../kernel/posture.ts';

/** One request, taken apart: what stands before and after `/v1/` is dealt with already. */
export interface DoubleRequest {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'LIST';
  /** Without `/v1/`, decoded. */
  readonly path: string;
  /** "" for none. */
  readonly token: string;
  /** "" for none. */
  readonly namespace: string;
  /** Seconds; 0 for none. */
  readonly wrapSeconds: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Reply {
  readonly status: number;
  /** Undefined: no body. A string: plain text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The envelope of every answer, in OpenBao's order. */
export function envelope(data: unknown, more: { readonly auth?: unknown; readonly lease?: number } = {}): Reply {
  const body = {
    request_id: synthetic(randomUUID()),
    lease_id: '',
    renewable: false,
    lease_duration: more.lease ?? 0,
    data,
    wrap_info: null,
    warnings: null,
    auth: more.auth ?? null,
  };
  return { status: 200, body };
}

export function failed(status: number, ...errors: readonly string[]): Reply {
  return { status, body: { errors } };
}

export const NO_CONTENT: Reply = { status: 204 };

/** As OpenBao says no for a path; a token that is no good hears the two plain words instead. */
export const DENIED = failed(403, '1 error occurred:\n\t* permission denied\n\n');
export const BAD_TOKEN = failed(403, 'permission denied');
export const NOTHING = failed(404);
export const UNSUPPORTED_PATH = failed(404, '1 error occurred:\n\t* unsupported path\n\n');
export const UNSUPPORTED_OPERATION = failed(405, '1 error occurred:\n\t* unsupported operation\n\n');

export function noRoute(path: string): Reply {
  return failed(404, `no handler for route "${path}". route entry not found.`);
}

/** Every opaque value of a double says what it is. */
export function synthetic(value: string): string {
  return `${SYNTHETIC_PREFIX}${value}`;
}

export function randomId(): string {
  return synthetic(randomBytes(18).toString('base64url'));
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Seconds of a number, or of `90s`, `5m`, `8h`, `7d`; 0 for anything else. */
export function seconds(value: unknown): number {
  if (typeof value === 'number') return value;
  const match = /^(\d+)(s|m|h|d)?$/.exec(text(value));
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match?.[2] ?? 's'] ?? 1;
  return match === null ? 0 : Number(match[1]) * unit;
}

/** A list, or one string with commas. */
export function names(value: unknown): string[] {
  const list = Array.isArray(value) ? value.map(text) : text(value).split(',');
  return list.map((name) => name.trim()).filter((name) => name !== '');
}

export function map(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, String(inner)]));
}
