import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../kernel/clock.ts';
import type { PolicyEvaluator } from '../policy/cedar-evaluator.ts';
import { newDecisionId } from '../policy/decision-id.ts';
import { checkRequestSchema, describeIssue } from '../policy/policy-question.ts';
import type { RegistryIndex } from '../policy/registry-index.ts';
import { type DecisionLog, decisionLogEntry } from './decision-log.ts';

const DOUBLE_LABEL = { 'x-wardend-double': '1' } as const;

/** Bytes of a request body. */
const MAX_BODY = 64 * 1024;

/** What the double answers from. The registry is replaced as a whole on reload. */
export interface DoubleState {
  registry: RegistryIndex;
  readonly evaluator: PolicyEvaluator;
  readonly log: DecisionLog;
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Timing {
  readonly clock: Clock;
  readonly decisionTtlMs: number | null;
}

export function flexAuthHandler(state: DoubleState, timing: Timing): RequestListener {
  return (request, response) => {
    answer(state, timing, request).then(
      (answered) => send(response, request, answered),
      // Nothing of the fault leaves: it may quote the request or the rules.
      () => send(response, request, failure(500, 'the double failed')),
    );
  };
}

async function answer(state: DoubleState, timing: Timing, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path === '/healthz') {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET, HEAD');
    return { status: 200, json: { status: 'ok' } };
  }
  if (path !== '/v1/check') return failure(404, 'no such route');
  if (request.method !== 'POST') return wrongMethod('POST');
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return failure(415, 'the body must be application/json');
  }
  const body = await readBody(request);
  if (body === null) return failure(413, `the body is longer than ${MAX_BODY} bytes`);
  return check(state, timing, body, requestIdOf(request));
}

async function check(state: DoubleState, timing: Timing, body: Buffer, requestId: string | null): Promise<Answer> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return failure(400, 'the body is not JSON');
  }
  const parsed = checkRequestSchema.safeParse(json);
  if (!parsed.success) return failure(400, describeIssue(parsed.error));
  const verdict = state.evaluator.evaluate(parsed.data, state.registry);
  const now = timing.clock.now();
  const id = newDecisionId();
  try {
    await state.log.write(decisionLogEntry(parsed.data, verdict, { id, time: new Date(now), requestId }));
  } catch {
    return failure(503, 'the decision log cannot be written: no decision without its record');
  }
  const { decisionTtlMs } = timing;
  const expiry = decisionTtlMs === null ? {} : { expires_at: new Date(now + decisionTtlMs).toISOString() };
  return {
    status: 200,
    json: { id, effect: verdict.effect, reason: verdict.reason, ...expiry },
    headers: requestId === null ? {} : { 'x-request-id': requestId },
  };
}

/** The whole body, or null where it is longer than allowed. What comes beyond that is not kept. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Only what can stand in a header and a log line. */
function requestIdOf(request: IncomingMessage): string | null {
  const value = request.headers['x-request-id'];
  return typeof value === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(value) ? value : null;
}

function failure(status: number, error: string): Answer {
  return { status, json: { error } };
}

function wrongMethod(allow: string): Answer {
  return { ...failure(405, `use ${allow}`), headers: { allow } };
}

function send(response: ServerResponse, request: IncomingMessage, { status, json, headers }: Answer): void {
  const body = JSON.stringify(json);
  // A body left unread would be taken for the next request: the connection ends with the answer.
  const unread =
    request.complete || request.method === 'GET' || request.method === 'HEAD' ? {} : { connection: 'close' };
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...DOUBLE_LABEL,
    ...unread,
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** What is no HTTP, or came too slowly, is answered with the label too. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nx-wardend-double: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
