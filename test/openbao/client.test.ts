import { readFile, writeFile } from 'node:fs/promises';
import { createServer as httpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/kernel/secret.ts';
import { type ConnectOptions, connectOpenBao } from '../../src/openbao/connect.ts';
import { OpenBaoFault, type OpenBaoFaultKind } from '../../src/openbao/fault.ts';
import { apiPath } from '../../src/openbao/path.ts';
import {
  http as answer,
  answering,
  type Behaviour,
  type RawServerOptions,
  rawServer,
} from '../policy/support/raw-server.ts';
import { testAuthority } from '../policy/support/x509.ts';
import { Cleanups, secretFiles } from './support.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

const ENVELOPE = {
  request_id: '01234567-89ab-cdef-0123-456789abcdef',
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: { a: 1 },
  wrap_info: null,
  warnings: null,
  auth: null,
};
const WRAPPED = {
  ...ENVELOPE,
  request_id: '',
  data: null,
  wrap_info: { token: 's.w', accessor: 'acc', ttl: 60, creation_time: '2026-01-01T00:00:00Z', creation_path: 'x/y' },
};
const TOKEN = 's.SecretTokenOfTheTest';

function open(
  address: string,
  more: Partial<ConnectOptions> & { readonly caFile?: string; readonly namespace?: string } = {},
) {
  const { caFile = null, namespace = null, ...rest } = more;
  const settings = { address, ca_file: caFile, namespace };
  const client = connectOpenBao({ settings, login: null, acceptDoubles: true, ...rest });
  cleanups.add(() => client.close());
  return client;
}

async function serve(behave: Behaviour, options: RawServerOptions = {}) {
  const server = await rawServer(behave, options);
  cleanups.add(server.close);
  return { ...server, address: `http://127.0.0.1:${server.port}`, requests: server.requests };
}

const faultOf = (work: Promise<unknown>): Promise<OpenBaoFault> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => {
      if (error instanceof OpenBaoFault) return error;
      throw error;
    },
  );

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (socket) =>
    socket.write(answer(status, JSON.stringify(body), { 'content-type': 'application/json', ...headers }));

describe('a request on the wire', () => {
  test('carries token, namespace and nothing of the environment', async () => {
    process.env.BAO_ADDR = 'http://127.0.0.1:1';
    process.env.BAO_TOKEN = 's.OfTheEnvironment';
    cleanups.add(() => {
      delete process.env.BAO_ADDR;
      delete process.env.BAO_TOKEN;
    });
    const server = await serve(answering(ENVELOPE));
    const client = open(`${server.address}/base/`, { namespace: 'team/a' });
    const token = Secret.fromString(`${TOKEN}\n`);
    await client.call({
      method: 'POST',
      path: 'ssh/sign/agt',
      token,
      body: { secret_id: Secret.fromString('xyz1\n'), n: 1 },
    });
    const [seen] = server.requests;
    expect(seen?.body).toBe('{"secret_id":"xyz1","n":1}');
    expect([seen?.method, seen?.path, seen?.headers]).toEqual([
      'POST',
      '/base/v1/ssh/sign/agt',
      {
        host: `127.0.0.1:${server.port}`,
        connection: 'keep-alive',
        accept: 'application/json',
        'content-type': 'application/json',
        'content-length': '26',
        'user-agent': 'wardend',
        'x-vault-request': 'true',
        'x-vault-namespace': 'team/a',
        'x-vault-token': TOKEN,
      },
    ]);
  });

  test('asks for a list as every proxy lets it through', async () => {
    const server = await serve(answering(ENVELOPE));
    await open(server.address).call({ method: 'LIST', path: 'ssh/roles', token: null });
    expect([server.requests[0]?.method, server.requests[0]?.path]).toEqual(['GET', '/v1/ssh/roles?list=true']);
  });

  test('shares one connection, one after the other', async () => {
    const server = await serve(answering(ENVELOPE));
    const client = open(server.address);
    for (let call = 0; call < 20; call += 1) await client.call({ method: 'GET', path: 'a/b', token: null });
    expect([server.requests.length, server.connections()]).toEqual([20, 1]);
  });

  test('never has a token that would be a header of its own', async () => {
    const server = await serve(answering(ENVELOPE));
    const client = open(server.address);
    for (const text of ['a b', 'a\r\nx-evil: 1', '', 'ü']) {
      const fault = await faultOf(client.call({ method: 'GET', path: 'a/b', token: Secret.fromString(text) }));
      expect(fault.kind).toBe('untrusted');
    }
    expect(server.requests).toEqual([]);
  });

  test('goes through a Unix socket', async () => {
    const files = await secretFiles(cleanups, {});
    await serve(answering(ENVELOPE), { path: files.path('bao.sock') });
    const client = open(`unix://${files.path('bao.sock')}`);
    expect((await client.call({ method: 'GET', path: 'a/b', token: null })).data).toEqual({ a: 1 });
  });
});

describe('an answer', () => {
  test('gives its data and its request id', async () => {
    const server = await serve(answering(ENVELOPE));
    expect(await open(server.address).call({ method: 'GET', path: 'a/b', token: null })).toEqual({
      requestId: ENVELOPE.request_id,
      data: { a: 1 },
      leaseId: '',
      leaseSeconds: 0,
      renewable: false,
      warnings: [],
      grant: null,
      wrapped: null,
    });
  });

  test('that holds a token prints none', async () => {
    const auth = { client_token: TOKEN, accessor: 'acc', lease_duration: 60, renewable: true, policies: ['p'] };
    const server = await serve(answering({ ...ENVELOPE, data: null, auth }));
    const { grant } = await open(server.address).call({ method: 'POST', path: 'auth/x/login', token: null, body: {} });
    expect(JSON.stringify(grant)).toBe(
      '{"token":"[secret]","accessor":"acc","ttlSeconds":60,"renewable":true,"policies":["p"]}',
    );
    expect(grant?.token.reveal().toString()).toBe(TOKEN);
  });

  test('that was to be wrapped is, and prints no token', async () => {
    const server = await serve(answering(WRAPPED));
    const { wrapped } = await open(server.address).call({ method: 'GET', path: 'x/y', token: null, wrapSeconds: 60 });
    expect(server.requests[0]?.headers['x-vault-wrap-ttl']).toBe('60s');
    expect(JSON.stringify(wrapped)).toBe('{"token":"[secret]","accessor":"acc","ttlSeconds":60,"creationPath":"x/y"}');
  });
});

const errors = (...list: string[]) => ({ errors: list });
const FAULTS: readonly (readonly [string, Behaviour, OpenBaoFaultKind, RegExp])[] = [
  ['503 of a sealed server', json(errors('Vault is sealed'), 503), 'sealed', /is sealed/],
  [
    '503 of a proxy',
    (socket) => socket.write(answer(503, '<html>down</html>', { 'content-type': 'text/html' })),
    'server_error',
    /HTTP 503/,
  ],
  ['500', json(errors('internal error'), 500), 'server_error', /HTTP 500/],
  ['502 without a body', (socket) => socket.write(answer(502, '')), 'server_error', /HTTP 502/],
  [
    '500 of a node that does not lead yet',
    json(errors('local node not active but active cluster node not found'), 500),
    'standby',
    /leads yet/,
  ],
  ['501', json(errors(), 501), 'not_initialised', /not initialised/],
  ['472', json({}, 472), 'standby', /standby/],
  ['473', json({}, 473), 'standby', /standby/],
  ['307 to the leader', json({}, 307, { location: 'http://127.0.0.1:1/v1/a/b' }), 'standby', /redirects/],
  ['403 for the token', json(errors('permission denied'), 403), 'token_invalid', /unknown, expired or revoked/],
  ['403 for the path', json(errors('1 error occurred:\n\t* permission denied\n\n'), 403), 'forbidden', /policies/],
  [
    '403 of a proxy',
    (socket) => socket.write(answer(403, 'no', { 'content-type': 'text/plain' })),
    'forbidden',
    /policies/,
  ],
  ['404 of nothing', json(errors(), 404), 'no_value', /nothing at this path/],
  ['404 of a deleted version', json({ ...ENVELOPE, data: { data: null } }, 404), 'deleted', /deleted or destroyed/],
  ['404 of no mount', json(errors('no handler for route "x/y". route entry not found.'), 404), 'no_mount', /no engine/],
  ['404 of no namespace', json(errors('namespace not found'), 404), 'no_namespace', /namespace/],
  ['404 of no path', json(errors('1 error occurred:\n\t* unsupported path\n\n'), 404), 'no_path', /no such path/],
  [
    '404 of somebody else',
    (socket) => socket.write(answer(404, 'Not Found', { 'content-type': 'text/plain' })),
    'answer',
    /does not come from OpenBao/,
  ],
  ['400', json(errors('ttl is larger than maximum allowed 1'), 400), 'rejected', /rejected/],
  ['405', json(errors('unsupported operation'), 405), 'rejected', /rejected/],
  ['400 of somebody else', (socket) => socket.write(answer(400, 'plain HTTP to an HTTPS port')), 'answer', /HTTP 400/],
  [
    '429 of a rate limit',
    json(errors('request path "x": rate limit quota exceeded'), 429, { 'retry-after': '3' }),
    'rate_limited',
    /rate/,
  ],
  [
    '429 of a lease count quota',
    json(errors('request path "x": lease count quota exceeded'), 429),
    'quota',
    /lease count/,
  ],
  ['a wrapped answer that nobody asked for', json(WRAPPED), 'wrapped', /wrapped/],
  [
    'an answer that is no JSON',
    (socket) => socket.write(answer(200, 'hello', { 'content-type': 'application/json' })),
    'answer',
    /not JSON/,
  ],
  [
    'an answer of another type',
    (socket) => socket.write(answer(200, '{}', { 'content-type': 'text/html' })),
    'answer',
    /application\/json/,
  ],
  ['an answer without an envelope', json({ data: {} }), 'answer', /request_id/],
  [
    'an accessor that would fill the ledger',
    json({
      ...ENVELOPE,
      auth: { client_token: 's.x', accessor: 'a'.repeat(257), lease_duration: 1, renewable: false },
    }),
    'answer',
    /auth\.accessor/,
  ],
  ['an id that is not printable', json({ ...ENVELOPE, request_id: 'a\nb' }), 'answer', /not printable/],
  ['an answer beyond 4 MiB', json({ ...ENVELOPE, data: 'x'.repeat(4 * 1024 * 1024) }), 'answer', /too large/],
  ['no HTTP at all', (socket) => socket.write('SSH-2.0-OpenSSH\r\n'), 'answer', /not HTTP/],
  ['a connection that ends', (socket) => socket.destroy(), 'unreachable', /cannot be reached/],
  ['silence', () => {}, 'timeout', /in time/],
];

describe('a failure has a kind of its own', () => {
  test.each(FAULTS)('%s', async (_name, behave, kind, message) => {
    const server = await serve(behave);
    const client = open(server.address, { timeoutMs: kind === 'timeout' ? 200 : 10_000 });
    const token = Secret.fromString('s.of-this-test');
    const fault = await faultOf(client.call({ method: 'POST', path: 'a/b', token, body: {} }));
    expect([fault.kind, fault.message]).toEqual([kind, expect.stringMatching(message)]);
    // Neither a signature nor a lease nor a login is ever asked for twice.
    expect(server.requests.length).toBe(1);
  });

  test.each([
    ['in the two words of a bad token', 'permission denied'],
    ['in a sentence', 'service account name not authorized'],
  ])('403 for a login blames no token, since none was sent: %s', async (_name, text) => {
    const server = await serve(json(errors(text), 403));
    const login = { method: 'POST', path: 'auth/kubernetes/login', token: null, body: {} } as const;
    const fault = await faultOf(open(server.address).call(login));
    expect([fault.kind, fault.message, fault.said]).toEqual(['rejected', 'OpenBao rejected the request', text]);
  });

  test('nobody listens', async () => {
    const server = await rawServer(() => {});
    await server.close();
    const fault = await faultOf(
      open(`http://127.0.0.1:${server.port}`).call({ method: 'POST', path: 'a/b', token: null, body: {} }),
    );
    expect([fault.kind, fault.status]).toEqual(['unreachable', null]);
  });

  test('429 says how long to wait', async () => {
    const server = await serve(json(errors('rate limit quota exceeded'), 429, { 'retry-after': '3' }));
    const fault = await faultOf(open(server.address).call({ method: 'GET', path: 'a/b', token: null }));
    expect(fault.retryAfterMs).toBe(3_000);
  });

  test('reading is asked for once more where the connection had died', async () => {
    const server = await serve((socket, _request, nth) => {
      if (nth === 1) socket.destroy();
      else answering(ENVELOPE)(socket, _request, nth);
    });
    const client = open(server.address);
    expect((await client.call({ method: 'GET', path: 'a/b', token: null })).data).toEqual({ a: 1 });
    expect(server.requests.length).toBe(2);
  });

  test('what OpenBao says is shown without what we sent', async () => {
    const server = await serve((socket, request) => {
      const said = `bad token ${request.headers['x-vault-token']} and ${JSON.parse(request.body).jwt}\r\n\tend`;
      json(errors(said), 400)(socket, request, 1);
    });
    const fault = await faultOf(
      open(server.address).call({
        method: 'POST',
        path: 'a/b',
        token: Secret.fromString(TOKEN),
        body: { inner: [{ deep: Secret.fromString('unused') }], jwt: Secret.fromString('header.payload.mac') },
      }),
    );
    expect(fault.said).toBe('bad token [secret] and [secret] end');
    expect(JSON.stringify(fault) + String(fault.stack) + fault.message).not.toContain(TOKEN);
  });

  test('a double is refused where the real one is wanted', async () => {
    const server = await serve(json(ENVELOPE, 200, { 'x-wardend-double': '1' }));
    const client = open(server.address, { acceptDoubles: false });
    const fault = await faultOf(client.call({ method: 'GET', path: 'a/b', token: null }));
    expect([fault.kind, fault.message]).toEqual(['untrusted', 'a double answers where the real OpenBao is wanted']);
    expect((await faultOf(client.health())).kind).toBe('untrusted');
  });

  test('reads that hang, as many as one caller may have, keep nobody else waiting', async () => {
    const server = httpServer((request, response) => {
      if (request.url === '/v1/a/hangs') return;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(ENVELOPE));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.add(() => {
      server.closeAllConnections();
      server.close();
    });
    const client = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { timeoutMs: 10_000 });
    const caller = new AbortController();
    const hanging = Array.from({ length: 2 * 32 }, () =>
      client.call({ method: 'GET', path: 'a/hangs', token: null, signal: caller.signal }).catch(() => 'gone'),
    );
    expect((await client.call({ method: 'GET', path: 'a/b', token: null })).data).toEqual({ a: 1 });
    expect(client.stats()).toMatchObject({ inFlight: 64, queued: 0 });
    caller.abort();
    await Promise.all(hanging);
  });

  test('more calls than may wait are told so at once', async () => {
    const server = await serve(() => {});
    const client = open(server.address, {
      timeoutMs: 2_000,
      limits: { concurrency: 2, queue: 3, answerBytes: 1_000 },
    });
    const kinds = await Promise.all(
      Array.from({ length: 8 }, () => faultOf(client.call({ method: 'POST', path: 'a/b', token: null, body: {} }))),
    ).then((faults) => faults.map((fault) => fault.kind));
    expect(kinds.filter((kind) => kind === 'overloaded').length).toBeGreaterThanOrEqual(3);
    expect(server.requests.length).toBeLessThanOrEqual(5);
  });
});

describe('the health of a server', () => {
  const body = { initialized: true, sealed: false, standby: false };
  test.each([
    [200, 'active'],
    [429, 'standby'],
    [472, 'standby'],
    [473, 'standby'],
    [501, 'not_initialised'],
    [503, 'sealed'],
  ])('%i is %s', async (status, state) => {
    const server = await serve(json(body, status));
    expect(await open(server.address).health()).toBe(state);
  });

  test.each<[string, Behaviour]>([
    ['a status of its own', json(body, 418)],
    ['a body that is not of OpenBao', json({ status: 'ok' })],
  ])('%s is none', async (_name, behave) => {
    const server = await serve(behave);
    expect((await faultOf(open(server.address).health())).kind).toBe('answer');
  });
});

describe('TLS', () => {
  async function serveTls(cert: string, key: string): Promise<string> {
    const server: Server = createServer({ cert, key }, (_request, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(ENVELOPE));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.add(() => {
      server.closeAllConnections();
      server.close();
    });
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('is trusted by the CA file, and by nothing else', async () => {
    const ca = testAuthority('ca');
    const files = await secretFiles(cleanups, { ca: ca.cert, other: testAuthority('other').cert });
    const leaf = ca.issue('bao');
    const address = await serveTls(leaf.cert, leaf.key);
    const ask = (caFile?: string) =>
      open(address, caFile === undefined ? {} : { caFile }).call({ method: 'GET', path: 'a/b', token: null });
    expect((await ask(files.path('ca'))).data).toEqual({ a: 1 });
    for (const wrong of [files.path('other'), undefined]) expect((await faultOf(ask(wrong))).kind).toBe('untrusted');
  });

  test('a CA file that is written anew is taken up by the next connection', async () => {
    const [first, second] = [testAuthority('first'), testAuthority('second')];
    const files = await secretFiles(cleanups, { ca: first.cert });
    const leaf = second.issue('bao');
    const client = open(await serveTls(leaf.cert, leaf.key), { caFile: files.path('ca') });
    expect((await faultOf(client.call({ method: 'GET', path: 'a/b', token: null }))).kind).toBe('untrusted');
    await writeFile(files.path('ca'), second.cert);
    expect(await readFile(files.path('ca'), 'utf8')).toBe(second.cert);
    expect((await client.call({ method: 'GET', path: 'a/b', token: null })).data).toEqual({ a: 1 });
  });
});

describe('a path', () => {
  test.each([
    [['ssh', 'sign', 'agt'], 'ssh/sign/agt'],
    [['team/ssh', 'sign', 'a b'], 'team/ssh/sign/a%20b'],
    [['kv', 'data', 'a/b?c#d'], 'kv/data/a/b%3Fc%23d'],
  ])('%j is %s', (parts, path) => {
    expect(apiPath(...parts)).toBe(path);
  });

  test.each([[['ssh', '']], [['ssh', '..', 'sys']], [['a/../b']], [['a//b']], [['.']], [['a\nb']]])(
    '%j is none',
    (parts) => {
      expect(() => apiPath(...parts)).toThrow(RangeError);
    },
  );
});
