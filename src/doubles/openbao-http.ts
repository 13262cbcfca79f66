import { createServer, type IncomingMessage } from 'node:http';
import { HttpFault } from '../http/party.ts';
import type { Transport } from '../openbao/client.ts';
import { openBao } from '../openbao/fault.ts';
import { handle } from './openbao/handle.ts';
import { type DoubleRequest, failed, type Reply, seconds } from './openbao/reply.ts';
import { type DoubleOptions, ServerState } from './openbao/server-state.ts';

/** The whole of a request, as a transport or a socket brings it. */
interface Incoming {
  readonly method: string;
  /** With query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

interface Outgoing {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface OpenBaoDouble {
  /** For tests and for a dev posture to furnish it. */
  readonly state: ServerState;
  /** Answers within this process: no socket is opened. */
  readonly transport: Transport;
  /** Requests answered so far, as `METHOD path`, the newest thousand. */
  readonly seen: readonly string[];
  /** The same over HTTP on 127.0.0.1. */
  listen(): Promise<{ readonly address: string; close(): Promise<void> }>;
}

const MAX_BODY = 1_048_576;
const MAX_SEEN = 1_000;

/** A synthetic stand-in for OpenBao that honours its HTTP contract, and labels each answer as a double's. */
export function createOpenBaoDouble(options: DoubleOptions = {}): OpenBaoDouble {
  const state = new ServerState(options);
  const seen: string[] = [];

  async function answer(incoming: Incoming): Promise<Outgoing> {
    const request = readRequest(incoming);
    if (seen.push(`${incoming.method} ${incoming.url.slice(4)}`) > MAX_SEEN) seen.shift();
    const reply = 'status' in request ? request : await handle(state, request);
    return written(reply);
  }

  const transport: Transport = {
    async exchange(request) {
      const headers = await request.headers();
      const { method, path: url, body = '' } = request;
      const reply = await answer({ method, url, headers, body });
      const fault = request.judge(reply.status, reply.headers);
      if (fault instanceof HttpFault) throw fault;
      return { status: reply.status, headers: reply.headers, bytes: Buffer.from(reply.body) };
    },
    aside: (request) => transport.exchange(request),
    stats: () => ({ inFlight: 0, queued: 0, retries: 0 }),
    close: async () => {},
  };

  return {
    state,
    seen,
    transport,
    async listen() {
      const server = createServer({ maxHeaderSize: 16_384, requestTimeout: 10_000 }, (message, response) => {
        readBody(message)
          .then((body) =>
            answer({ method: message.method ?? '', url: message.url ?? '', headers: message.headers, body }),
          )
          .catch(() => written(failed(500, 'internal error')))
          .then(({ status, headers, body }) => response.writeHead(status, headers).end(body));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
      return {
        address: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      };
    },
  };
}

function readRequest({ method, url, headers, body }: Incoming): DoubleRequest | Reply {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  if (!pathname.startsWith('/v1/')) return failed(404);
  const header = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value : '';
  };
  const verb = method === 'PUT' ? 'POST' : method === 'GET' && searchParams.get('list') === 'true' ? 'LIST' : method;
  if (verb !== 'GET' && verb !== 'POST' && verb !== 'DELETE' && verb !== 'LIST') return failed(405);
  const parsed = body === '' ? {} : parsedBody(body);
  if (typeof parsed === 'string') return failed(400, parsed);
  return {
    method: verb,
    path: decodeURIComponent(pathname.slice(4)).replace(/\/$/, ''),
    token: header('x-vault-token'),
    namespace: header('x-vault-namespace').replace(/\/$/, ''),
    wrapSeconds: seconds(header('x-vault-wrap-ttl')),
    body: parsed,
  };
}

function parsedBody(text: string): Readonly<Record<string, unknown>> | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // As below.
  }
  return 'failed to decode JSON input';
}

function written({ status, body, headers }: Reply): Outgoing {
  const text = body === undefined ? '' : typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  const type = typeof body === 'string' ? 'text/plain' : 'application/json';
  return {
    status,
    body: text,
    headers: {
      'cache-control': 'no-store',
      'content-type': type,
      'content-length': String(Buffer.byteLength(text)),
      'x-wardend-double': '1',
      ...headers,
    },
  };
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw openBao.fault('answer', 'the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}
