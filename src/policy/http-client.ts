import { errors, Pool } from 'undici';
import { WardenError } from '../kernel/errors.ts';
import { authorization } from './bearer.ts';
import { withDeadline } from './call-deadline.ts';
import { codeOf, connectFault, createConnector, type PeerUidOf } from './connector.ts';
import { CredentialFile } from './credential-file.ts';
import { PolicyFault } from './decision-point.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { parseAnswer } from './parse-answer.ts';
import type { PolicySettings } from './settings.ts';
import { Slots } from './slots.ts';

/** What a double says of itself in each answer. */
export const DOUBLE_HEADER = 'x-wardend-double';

export interface HttpClientOptions {
  readonly settings: Pick<PolicySettings, 'url' | 'caFile' | 'auth' | 'timeoutMs'>;
  /** False in prod: an answer of a double is then `untrusted`. */
  readonly acceptDoubles: boolean;
  /** Needed for `policy.auth.peer_uid`. */
  readonly peerUidOf?: PeerUidOf;
  readonly limits?: HttpLimits;
}

export interface HttpLimits {
  /** Calls at once, each on a connection of its own. */
  readonly concurrency: number;
  /** Calls that may wait for one of those. */
  readonly queue: number;
  /** The longest answer, in bytes. */
  readonly answerBytes: number;
}

const LIMITS: HttpLimits = { concurrency: 32, queue: 256, answerBytes: 65_536 };

export interface JsonAnswer {
  /** Parsed, of any shape. */
  readonly json: unknown;
  /** A response header that stands there exactly once, else null. `name` in lower case. */
  readonly header: (name: string) => string | null;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** From the origin on, base path included. */
  readonly path: string;
  readonly body?: string;
  readonly requestId?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpClientStats {
  readonly inFlight: number;
  readonly queued: number;
  /** Calls sent a second time because a kept-alive connection had died. */
  readonly retries: number;
}

/** One HTTP/1.1 client for one decision point: kept-alive, bounded in number, size and time; follows no redirect. */
export interface HttpClient {
  readonly endpoint: Endpoint;
  /** A 200 answer in JSON. @throws PolicyFault; WardenError where the signal ended */
  json(request: HttpRequest): Promise<JsonAnswer>;
  /** Resolves where the answer is 200, whatever it holds. Waits in no queue. @throws as `json` */
  ok(request: HttpRequest): Promise<void>;
  stats(): HttpClientStats;
  /** Ends after the calls under way. */
  close(): Promise<void>;
}

type Body = Awaited<ReturnType<Pool['request']>>['body'];
type Headers = Record<string, string | string[] | undefined>;

/** @throws WardenError config_invalid */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { settings, acceptDoubles } = options;
  const limits = options.limits ?? LIMITS;
  const endpoint = parseEndpoint(settings.url);
  checkAuth(endpoint, settings.auth);
  const { clientCert, bearerFile } = settings.auth;
  const bearer = bearerFile === null ? null : credential(bearerFile, 'policy.auth.bearer_file', 16_384, true);
  const slots = new Slots(limits.concurrency, limits.queue);
  let retries = 0;
  const pool = new Pool(endpoint.origin, {
    // Two more than calls, so that a health check never waits behind them.
    connections: limits.concurrency + 2,
    pipelining: 1,
    // The deadline of the call covers these.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 300_000,
    connect: createConnector({
      endpoint,
      timeoutMs: settings.timeoutMs,
      caFile: settings.caFile === null ? null : credential(settings.caFile, 'policy.ca_file', 1_048_576, false),
      clientCert:
        clientCert === null
          ? null
          : {
              cert: credential(clientCert.certFile, 'policy.auth.client_cert', 262_144, false),
              key: credential(clientCert.keyFile, 'the key of policy.auth.client_cert', 65_536, true),
            },
      peerUid: settings.auth.peerUid,
      peerUidOf: options.peerUidOf ?? null,
    }),
  });

  /** One request on the wire, up to and including the answer's headers. */
  async function send(request: HttpRequest, signal: AbortSignal): Promise<{ headers: Headers; body: Body }> {
    const { statusCode, headers, body } = await pool.request({
      method: request.method,
      path: request.path,
      headers: {
        accept: 'application/json',
        'user-agent': 'wardend',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.requestId === undefined ? {} : { 'x-request-id': request.requestId }),
        ...(bearer === null ? {} : { authorization: await authorization(bearer) }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      signal,
    });
    // An error of a body that nobody reads on must not end the process.
    body.on('error', () => {});
    const fault = faultOfHead(statusCode, headers, acceptDoubles);
    if (fault === null) return { headers, body };
    body.destroy();
    throw fault;
  }

  /** A check changes nothing, so a connection that died before the answer began is worth one more try. */
  async function sendTwice(request: HttpRequest, signal: AbortSignal): Promise<{ headers: Headers; body: Body }> {
    try {
      return await send(request, signal);
    } catch (error) {
      if (signal.aborted || !RESETS.has(codeOf(error))) throw faultOf(error);
      retries += 1;
      return await send(request, signal).catch((again: unknown) => {
        throw faultOf(again);
      });
    }
  }

  async function read(body: Body): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        // Leaving the loop destroys the body, and its connection with it.
        if (size > limits.answerBytes) throw new PolicyFault('answer', 'the answer is too large');
        chunks.push(chunk);
      }
    } catch (error) {
      if (error instanceof PolicyFault) throw error;
      throw new PolicyFault('answer', 'the answer broke off', { cause: error });
    }
    return Buffer.concat(chunks, size);
  }

  return {
    endpoint,
    json: (request) => {
      let sent = false;
      // Whoever never got a slot has learnt nothing of the decision point: its queue is ours, and full because of us.
      const late = (): PolicyFault => (sent ? tooLate() : new PolicyFault('overloaded', 'no slot came free in time'));
      return withDeadline(settings.timeoutMs, request.signal, late, async (signal) => {
        await slots.acquire(signal);
        sent = true;
        try {
          const { headers, body } = await sendTwice(request, signal);
          const fault = faultOfContent(headers);
          if (fault !== null) {
            body.destroy();
            throw fault;
          }
          return { json: parseAnswer(await read(body)), header: (name) => single(headers, name) };
        } finally {
          slots.release();
        }
      });
    },
    ok: (request) =>
      withDeadline(settings.timeoutMs, request.signal, tooLate, async (signal) => {
        const { body } = await sendTwice(request, signal);
        await read(body);
      }),
    stats: () => ({ inFlight: slots.taken, queued: slots.waiting, retries }),
    close: async () => {
      await slots.idle();
      await pool.close();
    },
  };
}

const RESETS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function tooLate(): PolicyFault {
  return new PolicyFault('timeout', 'the decision point did not answer in time');
}

function credential(path: string, setting: string, maxBytes: number, confidential: boolean): CredentialFile {
  return new CredentialFile({ path, setting, maxBytes, confidential });
}

function checkAuth(endpoint: Endpoint, auth: PolicySettings['auth']): void {
  if (auth.peerUid !== null && endpoint.socketPath === null) {
    throw new WardenError('config_invalid', 'policy.auth.peer_uid needs a unix:// decision point', {
      hint: 'over TCP use https with policy.ca_file',
    });
  }
  if (auth.clientCert !== null && !endpoint.tls) {
    throw new WardenError('config_invalid', 'policy.auth.client_cert needs an https:// decision point', {
      hint: 'write https:// in policy.flex_auth_url',
    });
  }
}

function faultOfHead(status: number, headers: Headers, acceptDoubles: boolean): PolicyFault | null {
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

function faultOfContent(headers: Headers): PolicyFault | null {
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

function single(headers: Headers, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

/** What went wrong before an answer was there. Anything unknown stays what it is: it must open nothing. */
function faultOf(error: unknown): unknown {
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
