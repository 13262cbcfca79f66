import { once } from 'node:events';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PolicyFault } from '../../src/policy/decision-point.ts';
import { createFlexAuth } from '../../src/policy/flex-auth.ts';
import { createHttpClient, type HttpLimits } from '../../src/policy/http-client.ts';
import type { PolicySettings } from '../../src/policy/settings.ts';
import {
  http as answer,
  answering,
  type Behaviour,
  type RawServer,
  type RawServerOptions,
  rawServer,
} from './support/raw-server.ts';
import { ALLOW, policySettings, QUESTION } from './support/settings.ts';
import { testAuthority } from './support/x509.ts';

const cleanups: (() => Promise<void>)[] = [];
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warden-http-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function serve(behave: Behaviour, options: RawServerOptions = {}): Promise<RawServer> {
  const server = await rawServer(behave, options);
  cleanups.push(server.close);
  return server;
}

function flexAuth(url: string, more: Partial<PolicySettings> = {}, limits?: HttpLimits) {
  const settings = policySettings(url, more);
  const client = createHttpClient({ settings, acceptDoubles: false, ...(limits === undefined ? {} : { limits }) });
  const point = createFlexAuth(client);
  cleanups.push(() => point.close());
  return { client, point };
}

const ask = { requestId: '0199a0b0-0000-7000-8000-000000000001' };

/** Resolves when the predicate holds, looking again at each turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the request on the wire', () => {
  test('is the contract byte for byte, with our request id and nothing of the environment', async () => {
    const server = await serve(answering(ALLOW));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    await point.decide(QUESTION, ask);
    const [seen] = server.requests;
    expect(seen?.body).toBe(
      '{"subject":{"id":"iam:agt-state-hub-bridge","type":"agt","tenant":"tenant:platform"},"tenant":"tenant:platform",' +
        '"resource":{"id":"ssh-cert:actor/agt-state-hub-bridge","type":"ssh-certificate","system":"ops-warden","tenant":"tenant:platform"},' +
        '"action":"sign","context":{"principals":["agt-task-bridge"],"actor_type":"agt",' +
        '"pubkey_fingerprint":"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU","ttl_hours":1.5}}',
    );
    expect({ method: seen?.method, path: seen?.path, headers: seen?.headers }).toEqual({
      method: 'POST',
      path: '/v1/check',
      headers: {
        host: `127.0.0.1:${server.port}`,
        connection: 'keep-alive',
        accept: 'application/json',
        'content-type': 'application/json',
        'content-length': String(seen?.body.length),
        'user-agent': 'wardend',
        'x-request-id': ask.requestId,
      },
    });
  });

  test('keeps the base path, over TCP and over a unix socket', async () => {
    const tcp = await serve(answering(ALLOW));
    const { point: overTcp } = flexAuth(`http://127.0.0.1:${tcp.port}/pdp/`);
    await overTcp.decide(QUESTION, ask);
    await overTcp.ready();
    expect(tcp.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /pdp/v1/check',
      'GET /pdp/healthz',
    ]);

    const path = join(folder, 'pdp.sock');
    const unix = await serve(answering(ALLOW), { path });
    const { point: overUnix } = flexAuth(`unix://${path}:/pdp`);
    await overUnix.decide(QUESTION, ask);
    expect(unix.requests[0]).toMatchObject({ path: '/pdp/v1/check', headers: { host: 'localhost' } });
  });

  test('carries no canary: no token and no key that the daemon has at hand', async () => {
    const canaries = {
      BAO_TOKEN: 'synthetic-canary-bao',
      VAULT_TOKEN: 'synthetic-canary-vault',
      WARDEN_ID_TOKEN: 'synthetic.canary.jwt',
      http_proxy: 'http://synthetic-canary-proxy:1',
      HTTP_PROXY: 'http://synthetic-canary-proxy:1',
    };
    const before = { ...process.env };
    Object.assign(process.env, canaries);
    cleanups.push(async () => {
      process.env = before;
    });
    const bearerFile = join(folder, 'canary-bearer');
    await writeFile(bearerFile, 'synthetic-canary-bearer\n', { mode: 0o600 });
    const server = await serve(answering(ALLOW));
    const auth = { bearerFile, clientCert: null, peerUid: null };
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, { auth });
    await point.decide({ ...QUESTION, context: { ...QUESTION.context, reason: 'night shift' } }, ask);
    const [seen] = server.requests;
    expect(seen?.headers.authorization).toBe('Bearer synthetic-canary-bearer');
    // The one place where a token belongs is taken out; nothing else may look like one.
    const rest = seen?.raw.replace('Bearer synthetic-canary-bearer', '') ?? '';
    expect(rest).toContain('night shift');
    expect(rest).not.toMatch(/canary|PRIVATE KEY|ssh-ed25519 AAAA|eyJ/);
  });
});

describe('who we are and who answers', () => {
  test('a rotated bearer token is used from the next call on', async () => {
    const bearerFile = join(folder, 'bearer');
    await writeFile(bearerFile, 'synthetic-one', { mode: 0o600 });
    const server = await serve(answering(ALLOW));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, {
      auth: { bearerFile, clientCert: null, peerUid: null },
    });
    await point.decide(QUESTION, ask);
    await writeFile(`${bearerFile}.new`, 'synthetic-two', { mode: 0o600 });
    await rename(`${bearerFile}.new`, bearerFile);
    await point.decide(QUESTION, ask);
    expect(server.requests.map((seen) => seen.headers.authorization)).toEqual([
      'Bearer synthetic-one',
      'Bearer synthetic-two',
    ]);
  });

  test('a bearer token that became readable for all is not sent any more', async () => {
    const bearerFile = join(folder, 'loose');
    await writeFile(bearerFile, 'synthetic-one', { mode: 0o600 });
    const server = await serve(answering(ALLOW));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, {
      auth: { bearerFile, clientCert: null, peerUid: null },
    });
    await point.decide(QUESTION, ask);
    await chmod(bearerFile, 0o604);
    await expect(point.decide(QUESTION, ask)).rejects.toMatchObject({ kind: 'untrusted' });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    ['a client certificate that the decision point wants opens the way', true, { effect: 'allow' }],
    ['without it the decision point hangs up on us', false, { kind: 'unreachable' }],
  ])('%s', async (_name, withCertificate, expected) => {
    const authority = testAuthority('synthetic-ca');
    const ours = authority.issue('synthetic-wardend');
    const caFile = join(folder, 'mtls-ca.pem');
    const clientCert = { certFile: join(folder, 'mtls.pem'), keyFile: join(folder, 'mtls.key') };
    await writeFile(caFile, authority.cert);
    await writeFile(clientCert.certFile, ours.cert);
    await writeFile(clientCert.keyFile, ours.key, { mode: 0o600 });
    const tls = {
      ...authority.issue('synthetic-pdp'),
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    };
    const server = await serve(answering(ALLOW), { tls });
    const auth = { bearerFile: null, clientCert: withCertificate ? clientCert : null, peerUid: null };
    const { point } = flexAuth(`https://127.0.0.1:${server.port}`, { caFile, auth });
    const outcome: unknown = await point.decide(QUESTION, ask).catch((error: unknown) => error);
    expect(outcome).toMatchObject(expected);
  });

  test.each([
    [
      'peer_uid over TCP',
      { auth: { bearerFile: null, clientCert: null, peerUid: 0 } },
      /^policy.auth.peer_uid needs a unix:/,
    ],
    [
      'a client certificate without TLS',
      { auth: { bearerFile: null, clientCert: { certFile: '/c', keyFile: '/k' }, peerUid: null } },
      /^policy.auth.client_cert needs an https:/,
    ],
  ])('%s is an error of the config', (_name, more, message) => {
    const settings = policySettings('http://127.0.0.1:1', more);
    expect(() => createHttpClient({ settings, acceptDoubles: false })).toThrow(message);
  });
});

describe('warm and bounded', () => {
  test('calls one after another share one connection, and so do health checks', async () => {
    const server = await serve(answering(ALLOW));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    for (let call = 0; call < 50; call += 1) await point.decide(QUESTION, ask);
    expect(server.connections()).toBe(1);
    for (let check = 0; check < 5; check += 1) await point.ready();
    expect(server.requests).toHaveLength(55);
    expect(server.connections()).toBe(2);
  });

  test('a kept-alive connection that died is replaced within the same call, and counted', async () => {
    // Dies exactly when the second request arrives, as an idle timeout at the other end does.
    const server = await serve((socket, request, nth) => {
      if (nth > 1 && request.connection === 1) socket.resetAndDestroy();
      else socket.write(answer(200, JSON.stringify(ALLOW)));
    });
    const { client, point } = flexAuth(`http://127.0.0.1:${server.port}`);
    await point.decide(QUESTION, ask);
    await expect(point.decide(QUESTION, ask)).resolves.toMatchObject({ effect: 'allow' });
    expect(client.stats().retries).toBe(1);
    expect(server.connections()).toBe(2);
  });

  test('a connection that dies twice is not tried a third time', async () => {
    const server = await serve((socket) => socket.resetAndDestroy());
    const { client, point } = flexAuth(`http://127.0.0.1:${server.port}`);
    await expect(point.decide(QUESTION, ask)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(server.requests).toHaveLength(2);
    expect(client.stats().retries).toBe(1);
  });

  test('a call that ran out of time is never sent again', async () => {
    const server = await serve(() => {});
    const { client, point } = flexAuth(`http://127.0.0.1:${server.port}`, { timeoutMs: 100 });
    await expect(point.decide(QUESTION, ask)).rejects.toMatchObject({ kind: 'timeout' });
    expect(server.requests).toHaveLength(1);
    expect(client.stats()).toEqual({ inFlight: 0, queued: 0, retries: 0 });
  });

  test('an answer too many is not taken for the answer to the next question', async () => {
    const deny = answer(200, '{"effect":"deny","id":"d:2"}');
    const server = await serve((socket, _request, nth) => {
      socket.write(nth === 1 ? answer(200, JSON.stringify(ALLOW)) + answer(200, JSON.stringify(ALLOW)) : deny);
    });
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    await expect(point.decide(QUESTION, ask)).resolves.toMatchObject({ effect: 'allow' });
    await expect(point.decide(QUESTION, ask)).resolves.toMatchObject({ effect: 'deny', id: 'd:2' });
    expect(server.connections()).toBe(2);
  });

  test('so many at once, so many waiting, and a clear no beyond that', async () => {
    const held: (() => void)[] = [];
    const server = await serve((socket) => held.push(() => socket.write(answer(200, JSON.stringify(ALLOW)))));
    const { client, point } = flexAuth(
      `http://127.0.0.1:${server.port}`,
      {},
      { concurrency: 2, queue: 3, answerBytes: 1024 },
    );
    const calls = Array.from({ length: 5 }, () => point.decide(QUESTION, ask));
    await until(() => held.length === 2);
    expect(client.stats()).toEqual({ inFlight: 2, queued: 3, retries: 0 });
    await expect(point.decide(QUESTION, ask)).rejects.toMatchObject({ kind: 'overloaded', message: /too many calls/ });
    for (let done = 0; done < 5; done += 1) {
      await until(() => held.length > 0);
      held.shift()?.();
    }
    expect((await Promise.all(calls)).map(({ effect }) => effect)).toEqual(Array(5).fill('allow'));
    expect(server.connections()).toBe(2);
  });

  test('whoever waits in our own queue until the deadline is overloaded, not timed out', async () => {
    const server = await serve(() => {});
    const limits = { concurrency: 1, queue: 3, answerBytes: 1024 };
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, { timeoutMs: 200 }, limits);
    const kinds = [1, 2].map(() => point.decide(QUESTION, ask).catch((error: PolicyFault) => error.kind));
    expect(await Promise.all(kinds)).toEqual(['timeout', 'overloaded']);
    expect(server.requests).toHaveLength(1);
  });

  test('a health check does not wait behind the calls', async () => {
    const server = await serve((socket, request) => {
      if (request.method === 'GET') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, {}, { concurrency: 1, queue: 1, answerBytes: 1024 });
    const gone = new AbortController();
    const calls = [1, 2].map(() =>
      point.decide(QUESTION, { ...ask, signal: gone.signal }).catch((error: unknown) => error),
    );
    await until(() => server.requests.length === 1);
    await expect(point.ready()).resolves.toBeUndefined();
    gone.abort();
    await Promise.all(calls);
  });

  test('whoever goes away gets no fault, and the connection is given up', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const server = await serve((socket) => {
      closed = once(socket, 'end');
    });
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    const gone = new AbortController();
    const call = point.decide(QUESTION, { ...ask, signal: gone.signal });
    await until(() => server.requests.length === 1);
    gone.abort();
    await expect(call).rejects.toMatchObject({ name: 'WardenError', code: 'deadline_exceeded' });
    await closed;
    await expect(point.decide(QUESTION, { ...ask, signal: gone.signal })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
    expect(server.requests).toHaveLength(1);
  });

  test('closing lets the calls under way end, the waiting ones included', async () => {
    const held: (() => void)[] = [];
    const server = await serve((socket) => held.push(() => socket.write(answer(200, JSON.stringify(ALLOW)))));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`, {}, { concurrency: 1, queue: 5, answerBytes: 1024 });
    const calls = [1, 2, 3].map(() => point.decide(QUESTION, ask));
    await until(() => held.length === 1);
    const closed = point.close();
    for (let done = 0; done < 3; done += 1) {
      await until(() => held.length > 0);
      held.shift()?.();
    }
    await closed;
    expect(await Promise.all(calls)).toHaveLength(3);
    await expect(point.decide(QUESTION, ask)).rejects.toMatchObject({
      kind: 'overloaded',
      message: 'this client is closed',
    });
  });

  test('the proxy of the environment is not asked', async () => {
    let proxied = 0;
    const proxy = http.createServer((_request, response) => {
      proxied += 1;
      response.end();
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    cleanups.push(async () => void proxy.close());
    const address = proxy.address();
    const before = { ...process.env };
    cleanups.push(async () => {
      process.env = before;
    });
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    Object.assign(process.env, { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url, NODE_USE_ENV_PROXY: '1' });
    const server = await serve(answering(ALLOW));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    await point.decide(QUESTION, ask);
    expect([proxied, server.requests.length]).toEqual([0, 1]);
  });
});

describe('readiness of flex-auth', () => {
  test.each([
    ['200', answer(200, 'ok', { 'content-type': 'text/plain' }), null],
    ['200 with nothing in it', answer(200, ''), null],
    ['503', answer(503, ''), { kind: 'http_status', status: 503 }],
    ['a redirect', answer(302, '', { location: '/' }), { kind: 'answer' }],
    ['a double', answer(200, '', { 'x-wardend-double': '1' }), { kind: 'untrusted' }],
  ])('%s', async (_name, bytes, fault) => {
    const server = await serve((socket) => socket.write(bytes));
    const { point } = flexAuth(`http://127.0.0.1:${server.port}`);
    const outcome: unknown = await point.ready().then(
      () => null,
      (error: unknown) => error,
    );
    if (fault === null) expect(outcome).toBeNull();
    else expect(outcome).toMatchObject(fault);
    expect(server.requests[0]).toMatchObject({ method: 'GET', path: '/healthz' });
  });
});
