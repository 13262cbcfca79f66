import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { WardenError } from '../kernel/errors.ts';
import { codeOf, connectFault } from './connector.ts';
import { HttpFault, type Party } from './party.ts';

/** What a double says of itself in each answer. */
export const DOUBLE_HEADER = 'x-wardend-double';

/** Is it JSON, as it stands, in UTF-8? Null where it is. */
export function faultOfContent(headers: IncomingHttpHeaders, party: Party): HttpFault | null {
  const type = single(headers, 'content-type');
  if (type === null || !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    return party.fault('answer', 'the answer is not of type application/json');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return party.fault('answer', 'the answer is compressed, which was not asked for');
  }
  return null;
}

/** A header that stands there exactly once, else null. */
export function single(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

/** What went wrong before an answer was there. Anything unknown stays what it is: it must open nothing. */
export function faultOf(error: unknown, party: Party): unknown {
  if (error instanceof HttpFault || error instanceof WardenError) return error;
  const code = codeOf(error);
  // By name and code: the classes would load undici where nobody speaks HTTP.
  if ((error as { name?: unknown } | null)?.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return party.fault('answer', 'the answer is not HTTP');
  }
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
    return party.fault('overloaded', 'this client is closed');
  }
  const system = (error as { syscall?: unknown } | null)?.syscall !== undefined;
  if (system || RESETS.has(code) || code.startsWith('ERR_SSL')) return connectFault(error, party);
  // Whatever else undici holds against an answer: lengths that contradict each other, say.
  if (code.startsWith('UND_ERR')) return party.fault('answer', `the answer is not HTTP (${code})`);
  return error;
}

/** The whole body, as long as it is short. @throws the party's fault, answer */
export async function readBody(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
  party: Party,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      // Leaving the loop destroys the body, and its connection with it.
      if (size > maxBytes) throw party.fault('answer', 'the answer is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpFault) throw error;
    throw party.fault('answer', 'the answer broke off', { cause: error });
  }
  return Buffer.concat(chunks, size);
}

/** Codes of a connection that ended before the answer began. */
export const RESETS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
