import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors } from 'undici';
import { WardenError } from '../kernel/errors.ts';
import { codeOf, connectFault } from './connector.ts';
import { PolicyFault } from './decision-point.ts';

/** What a double says of itself in each answer. */
export const DOUBLE_HEADER = 'x-wardend-double';

/** What the status and headers of an answer are a fault for; null where its body may be read. */
export function faultOfHead(status: number, headers: IncomingHttpHeaders, acceptDoubles: boolean): PolicyFault | null {
  if (headers[DOUBLE_HEADER] !== undefined && !acceptDoubles) {
    return new PolicyFault('untrusted', 'a double answers where a real decision point is wanted');
  }
  if (status === 200) return null;
  if (status >= 400 && status <= 599) {
    return new PolicyFault('http_status', `the decision point answered HTTP ${status}`, { status });
  }
  // A redirect, or success without a decision: an answer outside the contract, which never opens the gate.
  return new PolicyFault('answer', `the decision point answered HTTP ${status}`);
}

/** Is it JSON, as it stands, in UTF-8? */
export function faultOfContent(headers: IncomingHttpHeaders): PolicyFault | null {
  const type = single(headers, 'content-type');
  if (type === null || !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    return new PolicyFault('answer', 'the answer is not of type application/json');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return new PolicyFault('answer', 'the answer is compressed, which was not asked for');
  }
  return null;
}

/** A header that stands there exactly once, else null. */
export function single(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

/** What went wrong before an answer was there. Anything unknown stays what it is: it must open nothing. */
export function faultOf(error: unknown): unknown {
  if (error instanceof PolicyFault || error instanceof WardenError) return error;
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError) {
    return new PolicyFault('answer', 'the answer is not HTTP');
  }
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) {
    return new PolicyFault('overloaded', 'this client is closed');
  }
  const system = (error as { syscall?: unknown } | null)?.syscall !== undefined;
  if (system || RESETS.has(codeOf(error)) || codeOf(error).startsWith('ERR_SSL')) return connectFault(error);
  // Whatever else undici holds against an answer: lengths that contradict each other, say.
  if (error instanceof errors.UndiciError) return new PolicyFault('answer', `the answer is not HTTP (${error.code})`);
  return error;
}

/** The whole body, as long as it is short. @throws PolicyFault answer */
export async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      // Leaving the loop destroys the body, and its connection with it.
      if (size > maxBytes) throw new PolicyFault('answer', 'the answer is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof PolicyFault) throw error;
    throw new PolicyFault('answer', 'the answer broke off', { cause: error });
  }
  return Buffer.concat(chunks, size);
}

/** Codes of a connection that ended before the answer began. */
export const RESETS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
