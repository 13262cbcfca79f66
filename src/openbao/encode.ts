import { Secret } from '../kernel/secret.ts';
import { OpenBaoFault } from './fault.ts';

export type BodyValue = string | number | boolean | null | Secret | readonly BodyValue[] | BodyFields;
export interface BodyFields {
  readonly [name: string]: BodyValue;
}

/** What a token may look like: visible ASCII, so that nothing in it could begin a header of its own. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** The token as a header. Reveals a Secret. @throws OpenBaoFault untrusted */
export function tokenHeader(token: Secret | null): Record<string, string> {
  if (token === null) return {};
  const text = token.reveal().toString('latin1').trim();
  if (!TOKEN.test(text)) throw new OpenBaoFault('untrusted', 'what should be a token of OpenBao is none');
  return { 'x-vault-token': text };
}

/** The body as JSON. Reveals the secrets in it. */
export function encodeBody(body: BodyFields): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name, value) {
    // Secret answers JSON with a placeholder, so the object itself is looked up where it stands.
    const itself = this[name];
    return itself instanceof Secret ? itself.reveal().toString('utf8').trim() : value;
  });
}

/**
 * Text of the other side as it may be shown: one line, short, and without anything secret that we sent along, in
 * case it is quoted back.
 */
export function safeText(text: string, token: Secret | null, body: BodyFields | undefined): string {
  let clean = text;
  for (const secret of [...(token === null ? [] : [token]), ...secretsIn(body)]) {
    const value = secret.reveal().toString('utf8').trim();
    if (value.length >= 4) clean = clean.replaceAll(value, '[secret]');
  }
  return clean
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
    .slice(0, 300);
}

function secretsIn(value: BodyValue | undefined): Secret[] {
  if (value instanceof Secret) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((inner: BodyValue) => secretsIn(inner));
}
