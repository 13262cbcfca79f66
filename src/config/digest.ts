import { createHash } from 'node:crypto';

/**
 * SHA-256 in hex over a value as JSON. For values that are built key by key in one order, as settings, actors and
 * hosts are: equal contents then have equal digests however the file spelled them, without sorting 10,000 times.
 */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
