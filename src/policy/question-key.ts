import { hash } from 'node:crypto';
import type { PolicyQuestion } from './decision.ts';

/**
 * The whole question as one key: equal exactly where the questions are equal, whatever the order of their
 * keys. Hashed, so that a large context costs the cache no memory.
 */
export function questionKey(question: PolicyQuestion): string {
  return hash('sha256', canonicalJson(question), 'base64');
}

/**
 * JSON with the keys of every object sorted and nothing between; undefined members are left out, as on the
 * wire.
 * @throws TypeError where a value has no JSON of its own (NaN would read as null and share its decision)
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) {
    // `map` would skip a hole.
    return `[${Array.from(value, canonicalJson).join(',')}]`;
  }
  if (typeof value === 'object' && isPlain(value)) return `{${members(value as Record<string, unknown>)}}`;
  throw new TypeError('a policy question holds JSON values only');
}

/** A plain loop: this runs on every gated request. */
function members(object: Record<string, unknown>): string {
  let text = '';
  for (const name of Object.keys(object).sort()) {
    const value = object[name];
    if (value !== undefined) text += `${text === '' ? '' : ','}${quoted(name)}:${canonicalJson(value)}`;
  }
  return text;
}

/** Most names and values need no escape, and a call into JSON.stringify costs more than all the rest. */
function quoted(text: string): string {
  return /[^\x20\x21\x23-\x5b\x5d-\x7e]/.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value);
}
