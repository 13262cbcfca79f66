import { Client, type Dispatcher } from 'undici';
import { WardenError } from '../kernel/errors.ts';
import { authorization } from './bearer.ts';
import { withDeadline } from './call-deadline.ts';
import { CheckedFile } from './checked-file.ts';
import { codeOf, createConnector, type PeerUidOf, type ReadPem } from './connector.ts';
import { CredentialFile } from './credential-file.ts';
import { PolicyFault } from './decision-point.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { faultOf, faultOfContent, faultOfHead, RESETS, readBody, single } from './http-answer.ts';
import { parseAnswer } from './parse-answer.ts';
import type { PolicySettings } from './settings.ts';
import { Slots } from './slots.ts';

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
  /** The same for metadata: on a connection of its own, behind no queue. */
  healthJson(request: HttpRequest): Promise<JsonAnswer>;
  /** Resolves where the answer is 200, whatever it holds; as `healthJson` otherwise. */
  healthOk(request: HttpRequest): Promise<void>;
  stats(): HttpClientStats;
  /** Ends after the calls under way. */
  close(): Promise<void>;
}

type Answer = Pick<Dispatcher.ResponseData, 'headers' | 'body'>;

/** @throws WardenError config_invalid */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { settings, acceptDoubles } = options;
  const limits = options.limits ?? LIMITS;
  const endpoint = parseEndpoint(settings.url);
  checkAuth(endpoint, settings.auth);
  const { clientCert, bearerFile } = settings.auth;
  const bearer =
    bearerFile === null
      ? null
      : new CredentialFile({ path: bearerFile, setting: 'policy.auth.bearer_file', maxBytes: 16_384 });
  const slots = new Slots(limits.concurrency, limits.queue);
  const connector = createConnector({
    endpoint,
    timeoutMs: settings.timeoutMs,
    ca: settings.caFile === null ? null : publicPem(settings.caFile, 'policy.ca_file'),
    clientCert:
      clientCert === null
        ? null
        : {
            cert: publicPem(clientCert.certFile, 'policy.auth.client_cert'),
            key: privatePem(clientCert.keyFile, 'the key of policy.auth.client_cert'),
          },
    peerUid: settings.auth.peerUid,
    peerUidOf: options.peerUidOf ?? null,
  });
  // One connection to each slot, made when it is first used, and one for health checks, which wait for nobody.
  const lanes: Client[] = [];
  const healthLane = limits.concurrency;
  let retries = 0;
  let closing: Promise<void> | null = null;

  function lane(index: number): Client {
    lanes[index] ??= new Client(endpoint.origin, {
      pipelining: 1,
      // The deadline of the call covers these.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 300_000,
      connect: connector,
    });
    return lanes[index];
  }

  /** One request on the wire, up to and including the answer's headers. */
  async function send(request: HttpRequest, client: Client, signal: AbortSignal): Promise<Answer> {
    const { statusCode, headers, body } = await client.request({
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
  async function sendTwice(request: HttpRequest, client: Client, signal: AbortSignal): Promise<Answer> {
    try {
      return await send(request, client, signal);
    } catch (error) {
      if (signal.aborted || !RESETS.has(codeOf(error))) throw faultOf(error);
      retries += 1;
      return await send(request, client, signal).catch((again: unknown) => {
        throw faultOf(again);
      });
    }
  }

  async function json(request: HttpRequest, client: Client, signal: AbortSignal): Promise<JsonAnswer> {
    const { headers, body } = await sendTwice(request, client, signal);
    const fault = faultOfContent(headers);
    if (fault !== null) {
      body.destroy();
      throw fault;
    }
    return { json: parseAnswer(await readBody(body, limits.answerBytes)), header: (name) => single(headers, name) };
  }

  return {
    endpoint,
    json: (request) => {
      let queuedMs = Number.POSITIVE_INFINITY;
      const begun = performance.now();
      // Whoever spent most of the time in our own queue has learnt nothing about the decision point.
      const late = (): PolicyFault =>
        queuedMs > settings.timeoutMs / 2
          ? new PolicyFault('overloaded', 'no slot for the decision point came free in time')
          : tooLate();
      return withDeadline(settings.timeoutMs, request.signal, late, async (signal) => {
        const slot = await slots.acquire(signal);
        queuedMs = performance.now() - begun;
        try {
          return await json(request, lane(slot), signal);
        } finally {
          slots.release(slot);
        }
      });
    },
    healthJson: (request) =>
      withDeadline(settings.timeoutMs, request.signal, tooLate, (signal) => json(request, lane(healthLane), signal)),
    healthOk: (request) =>
      withDeadline(settings.timeoutMs, request.signal, tooLate, async (signal) => {
        const { body } = await sendTwice(request, lane(healthLane), signal);
        await readBody(body, limits.answerBytes);
      }),
    stats: () => ({ inFlight: slots.taken, queued: slots.waiting, retries }),
    close: () => {
      closing ??= (async () => {
        await slots.idle();
        // A lane that was never used is made here, so that nothing can be sent on it afterwards.
        await Promise.all(Array.from({ length: limits.concurrency + 1 }, (_, index) => lane(index).close()));
      })();
      return closing;
    },
  };
}

function tooLate(): PolicyFault {
  return new PolicyFault('timeout', 'the decision point did not answer in time');
}

function publicPem(path: string, setting: string): ReadPem {
  const file = new CheckedFile({ path, setting, maxBytes: 1_048_576, confidential: false });
  return () => file.read();
}

function privatePem(path: string, setting: string): ReadPem {
  const file = new CredentialFile({ path, setting, maxBytes: 65_536 });
  return async () => (await file.read()).reveal();
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
