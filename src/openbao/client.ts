import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DOUBLE_HEADER, faultOfContent } from '../http/answer.ts';
import type { PoolAnswer, PoolRequest, PoolStats } from '../http/pool.ts';
import type { Secret } from '../kernel/secret.ts';
import { type Correlation, inCall } from '../kernel/spans.ts';
import { traceHeaders } from '../kernel/trace.ts';
import { EMPTY_ANSWER, type OpenBaoAnswer, parseJson, readEnvelope, readErrors } from './answer.ts';
import { type BodyFields, encodeBody, safeText, tokenHeader } from './encode.ts';
import { OpenBaoFault, openBao } from './fault.ts';
import { type HealthState, readHealth } from './health.ts';
import { judgeFailure, retryAfterMs } from './judge.ts';

/** What carries the bytes: a pool of connections, or a double in this process. */
export interface Transport {
  exchange(request: PoolRequest): Promise<PoolAnswer>;
  /** For health checks, behind no queue. */
  aside(request: PoolRequest): Promise<PoolAnswer>;
  stats(): PoolStats;
  close(): Promise<void>;
}

export interface OpenBaoRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'LIST';
  /** As `apiPath` makes it: without `/v1/`. */
  readonly path: string;
  /** Null for what needs none: logins, public keys. */
  readonly token: Secret | null;
  /** Secrets in it are revealed when it is sent. */
  readonly body?: BodyFields;
  /** Asks for the answer wrapped for so many seconds. */
  readonly wrapSeconds?: number;
  /** Reading that makes something (a lease): never asked twice by itself. */
  readonly once?: boolean;
  /** Sent as X-Request-ID and traceparent: OpenBao's audit log can be told to keep them. */
  readonly correlation?: Correlation | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenBaoClient {
  /** @throws OpenBaoFault; WardenError deadline_exceeded where the signal ended */
  call(request: OpenBaoRequest): Promise<OpenBaoAnswer>;
  /** The body of a public answer that is no JSON (`/public_key`). @throws OpenBaoFault */
  text(path: string, signal?: AbortSignal): Promise<string>;
  /** @throws OpenBaoFault where nobody answers, or somebody else */
  health(signal?: AbortSignal): Promise<HealthState>;
  stats(): PoolStats;
  /** Ends after the calls under way. */
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly transport: Transport;
  /** Of the address; "" or `/path`. */
  readonly basePath: string;
  readonly namespace: string | null;
  /** False in prod: an answer of a double is then `untrusted`. */
  readonly acceptDoubles: boolean;
  /** Uniform in [0, 1); for the pause before a second try. */
  readonly random?: () => number;
}

/** Speaks OpenBao's HTTP API over a transport. */
export function createClient(options: ClientOptions): OpenBaoClient {
  const { transport, basePath, namespace, acceptDoubles, random = Math.random } = options;
  const common = {
    accept: 'application/json',
    'user-agent': 'wardend',
    // Proxies of OpenBao ask for this, so that no browser can be tricked into a request.
    'x-vault-request': 'true',
  };
  const inNamespace = namespace === null ? common : { ...common, 'x-vault-namespace': namespace };

  function judge(_status: number, headers: IncomingHttpHeaders): OpenBaoFault | null {
    if (headers[DOUBLE_HEADER] === undefined || acceptDoubles) return null;
    return new OpenBaoFault('untrusted', 'a double answers where the real OpenBao is wanted');
  }

  function toPool({ method, path, token, body, wrapSeconds, once, correlation, signal }: OpenBaoRequest): PoolRequest {
    return {
      // Proxies do not all let LIST through; OpenBao takes this for it.
      method: method === 'LIST' ? 'GET' : method,
      path: `${basePath}/v1/${path}${method === 'LIST' ? '?list=true' : ''}`,
      headers: async () => ({
        ...inNamespace,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(wrapSeconds === undefined ? {} : { 'x-vault-wrap-ttl': `${wrapSeconds}s` }),
        ...(correlation === undefined ? {} : { 'x-request-id': correlation.requestId, ...traceHeaders(correlation) }),
        ...tokenHeader(token),
      }),
      ...(body === undefined ? {} : { body: encodeBody(body) }),
      signal,
      // Reading may be asked twice. A signature, a lease or a login may not: the first may have been made.
      repeatable: once !== true && (method === 'GET' || method === 'LIST'),
      judge,
    };
  }

  /** Where no connection came about, reading is tried once more after a short pause, in which a restart may end. */
  async function exchange(request: PoolRequest): Promise<PoolAnswer> {
    try {
      return await transport.exchange(request);
    } catch (error) {
      const again = request.repeatable && error instanceof OpenBaoFault && error.kind === 'unreachable';
      if (!again || request.signal?.aborted === true) throw error;
      await sleep(50 + 100 * random());
      return await transport.exchange(request);
    }
  }

  function answerTo(
    request: OpenBaoRequest,
    status: number,
    headers: IncomingHttpHeaders,
    bytes: Uint8Array,
  ): OpenBaoAnswer {
    if (status === 204) return EMPTY_ANSWER;
    if (status !== 200) throw failure(status, headers, bytes, request);
    const content = faultOfContent(headers, openBao);
    if (content !== null) throw content;
    const answer = readEnvelope(parseJson(bytes));
    if ((answer.wrapped !== null) !== (request.wrapSeconds !== undefined)) {
      throw new OpenBaoFault('wrapped', 'the answer is wrapped where it should not be, or is not where it should be');
    }
    return answer;
  }

  return {
    call({ correlation, ...rest }) {
      const { method, path } = rest;
      const facts = { 'http.request.method': method, 'url.path': `${basePath}/v1/${path}` };
      return inCall(correlation, `OpenBao ${method}`, facts, async (within, step) => {
        const request: OpenBaoRequest = { ...rest, correlation: within };
        const { status, headers, bytes } = await exchange(toPool(request));
        step.note({ 'http.response.status_code': status });
        return answerTo(request, status, headers, bytes);
      });
    },
    async text(path, signal) {
      const request: OpenBaoRequest = { method: 'GET', path, token: null, signal };
      const { status, headers, bytes } = await exchange(toPool(request));
      if (status !== 200) throw failure(status, headers, bytes, request);
      return Buffer.from(bytes).toString('utf8');
    },
    async health(signal) {
      const { path, headers } = { path: `${basePath}/v1/sys/health`, headers: async () => common };
      const answer = await transport.aside({ method: 'GET', path, headers, signal, repeatable: true, judge });
      return readHealth(answer.status, parseJson(answer.bytes));
    },
    stats: () => transport.stats(),
    close: () => transport.close(),
  };
}

function failure(
  status: number,
  headers: IncomingHttpHeaders,
  bytes: Uint8Array,
  { token, body }: OpenBaoRequest,
): OpenBaoFault {
  let json: unknown = null;
  try {
    json = parseJson(bytes);
  } catch {
    // A proxy's page: the status says what there is to say.
  }
  const errors = readErrors(json);
  const envelope = errors === null && typeof (json as { request_id?: unknown } | null)?.request_id === 'string';
  const wait = retryAfterMs(headers);
  const details = {
    said: safeText((errors ?? []).join('; '), token, body),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
  return judgeFailure(status, errors, envelope, details, token === null);
}
