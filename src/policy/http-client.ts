import { faultOfContent, single } from '../http/answer.ts';
import type { PeerUidOf } from '../http/connector.ts';
import { CredentialFile } from '../http/credential-file.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { privatePem, publicPem } from '../http/pem.ts';
import { type HttpLimits, Pool, type PoolRequest, type PoolStats } from '../http/pool.ts';
import { WardenError } from '../kernel/errors.ts';
import { traceHeaders } from '../kernel/trace.ts';
import { authorization } from './bearer.ts';
import { decisionPoint as party } from './decision-point.ts';
import { parseEndpoint } from './endpoint.ts';
import { faultOfHead } from './http-answer.ts';
import { parseAnswer } from './parse-answer.ts';
import type { PolicySettings } from './settings.ts';

export type { HttpLimits } from '../http/pool.ts';

export interface HttpClientOptions {
  readonly settings: Pick<PolicySettings, 'url' | 'caFile' | 'auth' | 'timeoutMs'>;
  /** False in prod: an answer of a double is then `untrusted`. */
  readonly acceptDoubles: boolean;
  /** Needed for `policy.auth.peer_uid`. */
  readonly peerUidOf?: PeerUidOf;
  readonly limits?: HttpLimits;
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
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type HttpClientStats = PoolStats;

/** One HTTP/1.1 client for one decision point: kept-alive, bounded in number, size and time; follows no redirect. */
export interface HttpClient {
  readonly endpoint: Endpoint;
  /** A 200 answer in JSON. @throws PolicyFault; WardenError where the signal ended */
  json(request: HttpRequest): Promise<JsonAnswer>;
  /** The same for metadata: on a connection of its own, behind no queue. */
  healthJson(request: HttpRequest): Promise<JsonAnswer>;
  /** Resolves where the answer is 200, whatever it holds; as `healthJson` otherwise. */
  healthOk(request: HttpRequest): Promise<void>;
  stats(): HttpClientStats;
  /** Ends after the calls under way. */
  close(): Promise<void>;
}

/** @throws WardenError config_invalid */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { settings, acceptDoubles, limits = LIMITS } = options;
  const endpoint = parseEndpoint(settings.url);
  checkAuth(endpoint, settings.auth);
  const { clientCert, bearerFile } = settings.auth;
  const bearer =
    bearerFile === null
      ? null
      : new CredentialFile({ party, path: bearerFile, setting: 'policy.auth.bearer_file', maxBytes: 16_384 });
  const pool = new Pool({
    party,
    limits,
    endpoint,
    timeoutMs: settings.timeoutMs,
    ca: settings.caFile === null ? null : publicPem(party, settings.caFile, 'policy.ca_file'),
    clientCert:
      clientCert === null
        ? null
        : {
            cert: publicPem(party, clientCert.certFile, 'policy.auth.client_cert'),
            key: privatePem(party, clientCert.keyFile, 'the key of policy.auth.client_cert'),
          },
    peerUid: settings.auth.peerUid,
    peerUidOf: options.peerUidOf ?? null,
  });

  function toPool(request: HttpRequest, contentMatters: boolean): PoolRequest {
    return {
      method: request.method,
      path: request.path,
      headers: async () => ({
        accept: 'application/json',
        'user-agent': 'wardend',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.requestId === undefined ? {} : { 'x-request-id': request.requestId }),
        ...traceHeaders(request),
        ...(bearer === null ? {} : { authorization: await authorization(bearer) }),
      }),
      body: request.body,
      signal: request.signal,
      // A check changes nothing.
      repeatable: true,
      judge: (status, headers) =>
        faultOfHead(status, headers, acceptDoubles) ?? (contentMatters ? faultOfContent(headers, party) : null),
    };
  }

  async function json(answering: ReturnType<Pool['exchange']>): Promise<JsonAnswer> {
    const { headers, bytes } = await answering;
    return { json: parseAnswer(bytes), header: (name) => single(headers, name) };
  }

  return {
    endpoint,
    json: (request) => json(pool.exchange(toPool(request, true))),
    healthJson: (request) => json(pool.aside(toPool(request, true))),
    healthOk: async (request) => {
      await pool.aside(toPool(request, false));
    },
    stats: () => pool.stats(),
    close: () => pool.close(),
  };
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
