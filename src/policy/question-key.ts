import { createHash } from 'node:crypto';
import type { PolicyQuestion } from './decision.ts';

/**
 * The whole question as one key: equal exactly where the questions are equal, whatever the order of their
 * keys. Hashed, so that a large context costs the cache no memory.
 */
export function questionKey(question: PolicyQuestion): string {
  return createHash('sha256').update(canonicalJson(question)).digest('base64');
}

/**
 * JSON with the keys of every object sorted and nothing between; undefined members are left out, as on the
 * wire.
 * @throws TypeError where a value has no JSON of its own (NaN would read as null and share its decision)
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && isPlain(value)) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new TypeError('a policy question holds JSON values only');
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value);
}
