import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { type CallOptions, grpcTimeout, type Method } from '../../src/rpc/client/answers.ts';
import { Channel } from '../../src/rpc/client/channel.ts';
import { ConnectError, connectSocket } from '../../src/rpc/client/connect.ts';
import { RpcError } from '../../src/rpc/client/rpc-error.ts';
import { singleCall } from '../../src/rpc/client/single-call.ts';
import { type GeneratedService, toServiceDefinition } from '../../src/rpc/definition.ts';
import { toWireError } from '../../src/rpc/error-details.ts';
import {
  type LedgerRecord,
  QueryLedgerRequest,
  SignRequest,
  SignResponse,
  WardenDefinition,
} from '../../src/rpc/generated/warden/v1/warden.ts';

const { fullName, methods } = WardenDefinition;
const folder = mkdtempSync(join(tmpdir(), 'warden-rpc-'));
let opened: Channel[] = [];
let servers: (() => void)[] = [];
let sockets = 0;

afterEach(() => {
  for (const channel of opened) channel.close();
  for (const stop of servers) stop();
  opened = [];
  servers = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function openChannel(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Channel> {
  const channel = new Channel(await connectSocket(path, 2_000), path, headers);
  opened.push(channel);
  return channel;
}

async function caught(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.unreachable('it should have failed'),
    (error: Error) => error,
  );
}

interface Asker {
  unary<Req, Res>(service: string, method: Method<Req, Res>, request: Req, options?: CallOptions): Promise<Res>;
}

/** Both ways in which `warden` asks; the second makes a connection for each call. */
const WAYS: readonly (readonly [
  string,
  (path: string, headers?: Readonly<Record<string, string>>) => Promise<Asker>,
])[] = [
  ['a channel', openChannel],
  [
    'a single call',
    async (path, headers = {}) => ({
      unary: async (service, method, request, options) =>
        singleCall(await connectSocket(path, 2_000), path, service, method, request, { ...options, headers }),
    }),
  ],
];

type Handlers = Record<string, (call: never, callback: never) => void>;

async function serve(handlers: Handlers): Promise<string> {
  const path = join(folder, `grpc-${++sockets}.sock`);
  const server = new Server();
  const definition = toServiceDefinition(WardenDefinition as unknown as GeneratedService);
  const chosen = Object.fromEntries(Object.entries(definition).filter(([name]) => name in handlers));
  server.addService(chosen, handlers as never);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  servers.push(() => server.forceShutdown());
  return path;
}

describe.each(WAYS)('%s against grpc-js with the generated definitions', (_way, open) => {
  type Unary = (call: ServerUnaryCall<SignRequest, SignResponse>, done: (e: unknown, v?: SignResponse) => void) => void;
  const sign = (handler: Unary) => serve({ Sign: handler as never });

  test('a request arrives as it was sent and the answer comes back whole', async () => {
    const request = SignRequest.fromPartial({
      actor: 'agt-ö',
      publicKey: 'ssh-ed25519 AAAA',
      ttlSeconds: 2n ** 63n,
      principals: ['a', 'b'],
      purpose: 2,
      reason: 'why not',
    });
    let seen: SignRequest | null = null;
    const path = await sign((call, done) => {
      seen = call.request;
      done(
        null,
        SignResponse.fromPartial({ certificate: 'c', evidence: { serial: 2n ** 64n - 1n, principals: ['a'] } }),
      );
    });
    const answer = await (await open(path)).unary(fullName, methods.sign, request);
    expect(seen).toEqual(request);
    expect(answer).toEqual(
      SignResponse.fromPartial({ certificate: 'c', evidence: { serial: 2n ** 64n - 1n, principals: ['a'] } }),
    );
  });

  test('headers of the caller arrive beside its request', async () => {
    let seen: unknown;
    const path = await sign((call, done) => {
      seen = call.metadata.get('traceparent');
      done(null, SignResponse.create());
    });
    await (await open(path, { traceparent: '00-trace' })).unary(fullName, methods.sign, SignRequest.create());
    expect(seen).toEqual(['00-trace']);
  });

  test('two calls at once on one connection keep their own answers', async () => {
    const path = await sign((call, done) => {
      const { actor } = call.request;
      setImmediate(() => done(null, SignResponse.fromPartial({ certificate: actor })));
    });
    const channel = await open(path);
    const ask = (actor: string) => channel.unary(fullName, methods.sign, SignRequest.fromPartial({ actor }));
    const answers = await Promise.all(['one', 'two', 'three'].map(ask));
    expect(answers.map((answer) => answer.certificate)).toEqual(['one', 'two', 'three']);
  });

  test('an answer of a megabyte arrives, in as many pieces as it takes', async () => {
    const certificate = 'x'.repeat(1_000_000);
    const path = await sign((_call, done) => done(null, SignResponse.fromPartial({ certificate })));
    const answer = await (await open(path)).unary(fullName, methods.sign, SignRequest.create());
    expect(answer.certificate).toBe(certificate);
  });

  test('an answer beyond the maximum is refused by its header', async () => {
    const path = await sign((_call, done) => done(null, SignResponse.fromPartial({ certificate: 'x'.repeat(2_000) })));
    const channel = await open(path);
    const error = await caught(channel.unary(fullName, methods.sign, SignRequest.create(), { maxMessageBytes: 1_000 }));
    expect(error).toMatchObject({ code: 'internal', message: expect.stringContaining('more than the 1000 allowed') });
  });

  test('the reason, hint, decision, ledger number, request and retry delay of a refusal all arrive', async () => {
    const refusal = new WardenError('ttl_out_of_bounds', 'asked for 999h — “too long”', {
      decisionId: 'decision:1',
      policyReason: 'ttl_out_of_bounds',
      ledgerSeq: 42n,
      requestId: 'r-1',
      retryAfterMs: 1_500,
    });
    const path = await sign((_call, done) => {
      const { code, details, statusDetails } = toWireError(refusal);
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', statusDetails);
      done({ code, details, metadata });
    });
    const error = await caught((await open(path)).unary(fullName, methods.sign, SignRequest.create()));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      status: 7,
      reason: 'ttl_out_of_bounds',
      kind: 'refused',
      message: 'asked for 999h — “too long”',
      hint: refusal.hint,
      details: {
        decisionId: 'decision:1',
        policyReason: 'ttl_out_of_bounds',
        ledgerSeq: '42',
        requestId: 'r-1',
        retryAfterMs: 1_500,
      },
    });
  });

  test.each([
    ['INVALID_ARGUMENT is a usage error', 3, 'invalid_request', 'usage'],
    ['UNAVAILABLE is something unavailable', 14, 'draining', 'unavailable'],
    ['UNIMPLEMENTED says that the daemon is older', 12, 'unimplemented', 'usage'],
    ['INTERNAL is internal', 13, 'internal', 'internal'],
  ])('without details, %s', async (_name, code, reason, kind) => {
    const path = await sign((_call, done) => done({ code, details: '100 % wrong: ü' }));
    const error = await caught((await open(path)).unary(fullName, methods.sign, SignRequest.create()));
    expect(error).toMatchObject({ status: code, reason, kind, message: '100 % wrong: ü' });
  });

  test('a method that the daemon does not have is unimplemented', async () => {
    const path = await serve({ QueryLedger: () => {} });
    const error = await caught((await open(path)).unary(fullName, methods.sign, SignRequest.create()));
    expect(error).toMatchObject({ reason: 'unimplemented', kind: 'usage' });
  });

  test('the deadline travels, and holds here where the daemon does not keep it', async () => {
    let remaining = 0;
    const path = await sign((call) => {
      remaining = Number(call.getDeadline()) - Date.now();
    });
    const channel = await open(path);
    const error = await caught(channel.unary(fullName, methods.sign, SignRequest.create(), { deadlineMs: 300 }));
    expect(error.message).toMatch(/deadline|no answer within 0.3 s/i);
    expect('reason' in error ? error.reason : (error as WardenError).code).toBe('deadline_exceeded');
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThanOrEqual(300);
  });
});

describe('a channel as a stream', () => {
  test('a stream gives every message in order, then ends', async () => {
    const path = await serve({
      QueryLedger: ((call: ServerWritableStream<QueryLedgerRequest, LedgerRecord>) => {
        for (let seq = 1n; seq <= 500n; seq++) call.write({ seq, json: `{"seq":${seq}}` });
        call.end();
      }) as never,
    });
    const seen: bigint[] = [];
    for await (const record of (await openChannel(path)).stream(
      fullName,
      methods.queryLedger,
      QueryLedgerRequest.create(),
    )) {
      seen.push(record.seq);
    }
    expect(seen).toHaveLength(500);
    expect(seen).toEqual([...seen].sort((a, b) => Number(a - b)));
  });

  test('a stream that fails half way gives what came, then the error', async () => {
    const path = await serve({
      QueryLedger: ((call: ServerWritableStream<QueryLedgerRequest, LedgerRecord>) => {
        call.write({ seq: 1n, json: '{}' });
        call.emit('error', { code: 14, details: 'stopping' });
      }) as never,
    });
    const seen: bigint[] = [];
    const error = await caught(
      (async () => {
        for await (const record of (await openChannel(path)).stream(
          fullName,
          methods.queryLedger,
          QueryLedgerRequest.create(),
        )) {
          seen.push(record.seq);
        }
      })(),
    );
    expect(seen).toEqual([1n]);
    expect(error).toMatchObject({ reason: 'draining', message: 'stopping' });
  });

  test('leaving a stream early cancels it at the daemon', async () => {
    let cancelled: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const path = await serve({
      QueryLedger: ((call: ServerWritableStream<QueryLedgerRequest, LedgerRecord>) => {
        call.on('cancelled', cancelled);
        call.write({ seq: 1n, json: '{}' });
      }) as never,
    });
    const stream = (await openChannel(path)).stream(fullName, methods.queryLedger, QueryLedgerRequest.create(), {
      deadlineMs: null,
    });
    for await (const record of stream) {
      expect(record.seq).toBe(1n);
      break;
    }
    await done;
  });
});

describe.each(WAYS)('%s against what is no daemon', (_way, open) => {
  async function listen(server: NetServer | Http2Server): Promise<string> {
    const path = join(folder, `raw-${++sockets}.sock`);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    servers.push(() => server.close());
    return path;
  }

  async function raw(onConnection: (socket: Socket) => void): Promise<string> {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {});
      onConnection(socket);
    });
    servers.push(() => {
      for (const socket of open) socket.destroy();
    });
    return listen(server);
  }

  async function http2(onStream: (stream: ServerHttp2Stream) => void): Promise<string> {
    const server = createHttp2();
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      onStream(stream);
    });
    return listen(server);
  }

  const OK_HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' };

  test.each<[string, () => Promise<string>, string, RegExp]>([
    [
      'HTTP/1.1 is named as no gRPC',
      () => raw((s) => s.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')),
      'daemon_unreachable',
      /does not speak gRPC|closed the connection/,
    ],
    [
      'random bytes are named as no gRPC',
      () => raw((s) => s.write(Buffer.alloc(4096, 0xa7))),
      'daemon_unreachable',
      /does not speak gRPC/,
    ],
    [
      'a connection that is closed at once is named',
      () => raw((s) => s.destroy()),
      'daemon_unreachable',
      /closed the connection|ended the connection/,
    ],
    [
      'an HTTP/2 server without gRPC is named',
      () =>
        http2((s) => {
          s.respond({ ':status': 404, 'content-type': 'text/html' });
          s.end('no');
        }),
      'daemon_unreachable',
      /does not speak gRPC/,
    ],
    [
      'a reset stream is an end without an answer',
      () => http2((s) => s.close(2)),
      'daemon_unreachable',
      /ended the connection without an answer/,
    ],
    [
      'an answer without trailers is refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS);
          s.end(Buffer.from([0, 0, 0, 0, 0]));
        }),
      'daemon_unreachable',
      /ended the connection without an answer/,
    ],
    [
      'trailers without a status are refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS, { waitForTrailers: true });
          s.on('wantTrailers', () => s.sendTrailers({ 'x-other': '1' }));
          s.end(Buffer.from([0, 0, 0, 0, 0]));
        }),
      'internal',
      /no status/,
    ],
    [
      'a status beyond 16 is no status',
      () => http2((s) => s.respond({ ...OK_HEADERS, 'grpc-status': '17' }, { endStream: true })),
      'internal',
      /no status/,
    ],
    [
      'success without a message is refused',
      () => http2((s) => s.respond({ ...OK_HEADERS, 'grpc-status': '0' }, { endStream: true })),
      'internal',
      /no message/,
    ],
    [
      'a compressed message is refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS);
          s.write(Buffer.from([1, 0, 0, 0, 1, 0]));
        }),
      'internal',
      /compressed/,
    ],
    [
      'a message that says 4 GiB is refused from its header',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS);
          s.write(Buffer.from([0, 255, 255, 255, 255]));
        }),
      'internal',
      /more than the 4194304 allowed/,
    ],
    [
      'two messages to one question are refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS);
          s.write(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        }),
      'internal',
      /more than one message/,
    ],
    [
      'bytes that are no message are refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS);
          s.write(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0xff]));
        }),
      'internal',
      /cannot be read/,
    ],
    [
      'half a message before the end is refused',
      () =>
        http2((s) => {
          s.respond(OK_HEADERS, { waitForTrailers: true });
          s.on('wantTrailers', () => s.sendTrailers({ 'grpc-status': '0' }));
          s.end(Buffer.from([0, 0, 0, 0, 9, 1]));
        }),
      'internal',
      /half a message/,
    ],
  ])('%s', async (_name, start, code, message) => {
    const channel = await open(await start());
    const error = await caught(channel.unary(fullName, methods.sign, SignRequest.create(), { deadlineMs: 20_000 }));
    expect(error).toBeInstanceOf(WardenError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('a listener that never says anything is given up on', async () => {
    const channel = await open(await raw(() => {}));
    const error = await caught(channel.unary(fullName, methods.sign, SignRequest.create()));
    expect(error).toMatchObject({ code: 'daemon_unreachable', message: expect.stringContaining('did not answer') });
  });

  test('details that are no google.rpc.Status leave the plain message', async () => {
    const headers = {
      ...OK_HEADERS,
      'grpc-status': '7',
      'grpc-message': 'no%20way %zz',
      'grpc-status-details-bin': '/////w',
    };
    const channel = await open(await http2((s) => s.respond(headers, { endStream: true })));
    const error = await caught(channel.unary(fullName, methods.sign, SignRequest.create()));
    expect(error).toMatchObject({ status: 7, reason: 'internal', message: 'no way %zz' });
  });
});

describe('a socket that cannot be reached', () => {
  test.each<[string, () => string | Promise<string>, string]>([
    ['no file', () => join(folder, 'absent.sock'), 'missing'],
    ['a parent that is a file', () => '/etc/passwd/warden.sock', 'missing'],
    ['a path that the kernel would cut', () => `/tmp/${'x'.repeat(120)}`, 'path_too_long'],
    [
      'a socket whose daemon died',
      async () => {
        const path = join(folder, 'dead.sock');
        const { spawnSync } = await import('node:child_process');
        spawnSync(process.execPath, [
          '-e',
          `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`,
        ]);
        return path;
      },
      'nobody_listens',
    ],
  ])('%s', async (_name, path, fault) => {
    const where = await path();
    const error = await caught(connectSocket(where, 2_000));
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ fault, path: where });
  });
});

describe('grpc-timeout', () => {
  test.each([
    [1, '1m'],
    [0.2, '1m'],
    [30_000, '30000m'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [1e15, '99999999S'],
  ])('%d ms is %s', (ms, text) => expect(grpcTimeout(ms)).toBe(text));
});
