import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp2 } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { askDaemon } from '../../client/ask-daemon.ts';
import type { Invocation } from '../../client/invocation.ts';
import { SIGN } from '../../client/sign-method.ts';
import { connectSocket } from '../../src/rpc/client/connect.ts';
import { frame } from '../../src/rpc/client/framing.ts';
import { readHeaderBlock, writeHeaderBlock } from '../../src/rpc/client/hpack.ts';
import { Http2Error } from '../../src/rpc/client/http2-error.ts';
import { FLAG, FRAME, Http2Frames, writeFrame } from '../../src/rpc/client/http2-frames.ts';
import { decodeHuffman } from '../../src/rpc/client/huffman.ts';
import { singleCall } from '../../src/rpc/client/single-call.ts';
import { SignRequest, SignResponse } from '../../src/rpc/generated/warden/v1/warden.ts';

const folder = mkdtempSync(join(tmpdir(), 'warden-single-'));
let stops: (() => void)[] = [];
let sockets = 0;

afterEach(() => {
  for (const stop of stops) stop();
  stops = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listen(server: Server | ReturnType<typeof createHttp2>): Promise<string> {
  const path = join(folder, `${++sockets}.sock`);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  stops.push(() => server.close());
  return path;
}

async function ask(path: string, deadlineMs = 5_000): Promise<SignResponse> {
  const request = SignRequest.fromPartial({ actor: 'agt-x' });
  return singleCall(await connectSocket(path, 2_000), path, SIGN.service, SIGN.method, request, { deadlineMs });
}

const outcome = (path: string): Promise<string> =>
  ask(path).then(
    (answer) => `answered ${answer.certificate}`,
    (error: Error) => error.message.replace(/^what listens at \S+ /, ''),
  );

describe('Huffman texts', () => {
  test.each([
    ['f1e3c2e5f23a6ba0ab90f4ff', 'www.example.com'],
    ['a8eb10649cbf', 'no-cache'],
    ['25a849e95ba97d7f', 'custom-key'],
    ['25a849e95bb8e8b4bf', 'custom-value'],
    ['', ''],
  ])('%s of RFC 7541 is %s', (hex, plain) => expect(decodeHuffman(Buffer.from(hex, 'hex')).toString()).toBe(plain));

  test.each([
    ['a byte of padding too many', 'a8eb10649cbfff'],
    ['padding of zeros', 'a8eb10649cb0'],
    ['the end of a text', 'fffffffc'],
  ])('%s is refused', (_name, hex) => expect(() => decodeHuffman(Buffer.from(hex, 'hex'))).toThrow(Http2Error));
});

describe('header blocks', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  const value = fc.string({ maxLength: 400 }).map((text) => Buffer.from(text).toString('base64'));

  test('come back as they were written', () => {
    fc.assert(
      fc.property(fc.dictionary(name, value), (headers) => {
        expect(readHeaderBlock(writeHeaderBlock(headers))).toEqual({ ...headers });
      }),
    );
  });

  test('of any bytes at all give headers or an Http2Error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readHeaderBlock(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(Http2Error);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['an entry of a table that was not offered', [0xbe]],
    ['entry 0', [0x80]],
    ['a table that grows', [0x3f, 0xe1, 0x1f]],
    ['a number without an end', [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a value that is cut short', [0x48, 0x03, 0x32]],
  ])('with %s are refused', (_name, bytes) => {
    expect(() => readHeaderBlock(Buffer.from(bytes))).toThrow(Http2Error);
  });

  test('of node:http2 are read as node:http2 reads them', async () => {
    const printable = fc.stringMatching(/^[!-~]([ -~]{0,200}[!-~])?$/);
    let trailers: Record<string, string> = {};
    const server = createHttp2();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
    });
    const path = await listen(server);
    await fc.assert(
      fc.asyncProperty(printable, async (text) => {
        trailers = { 'grpc-status': '7', 'grpc-message': text.replaceAll('%', '%25'), 'x-other': text };
        expect(await outcome(path)).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});

test('frames come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(20), fc.nat(255), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 }),
      fc.integer({ min: 1, max: 17 }),
      (frames, cut) => {
        const bytes = Buffer.concat(frames.map(([type, flags, body]) => writeFrame(type, flags, 1, Buffer.from(body))));
        const cutter = new Http2Frames();
        const out = [];
        for (let at = 0; at < bytes.length; at += cut) out.push(...cutter.push(bytes.subarray(at, at + cut)));
        expect(out.map(({ type, flags, payload }) => [type, flags, [...payload]])).toEqual(
          frames.map(([type, flags, body]) => [type, flags, [...body]]),
        );
      },
    ),
  );
});

describe('what a peer may say, frame by frame', () => {
  const empty = Buffer.alloc(0);
  const settings = writeFrame(FRAME.settings, 0, 0, empty);
  const ok = writeHeaderBlock({ ':status': '200', 'content-type': 'application/grpc' });
  const headers = writeFrame(FRAME.headers, FLAG.endHeaders, 1, ok);
  const body = frame(SignResponse.encode(SignResponse.fromPartial({ certificate: 'c' })).finish());
  const data = writeFrame(FRAME.data, 0, 1, body);
  const bye = writeHeaderBlock({ 'grpc-status': '0' });
  const trailers = writeFrame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, bye);
  const goAway = (last: number): Buffer => writeFrame(FRAME.goAway, 0, 0, Buffer.from([0, 0, 0, last, 0, 0, 0, 0]));
  const padded = writeFrame(FRAME.data, FLAG.padded, 1, Buffer.concat([Buffer.from([3]), body, Buffer.alloc(3)]));
  const early = writeFrame(FRAME.headers, FLAG.endHeaders, 1, writeHeaderBlock({ ':status': '103' }));
  const [half, rest] = [bye.subarray(0, 4), bye.subarray(4)];

  /** Says `bytes`, in pieces of `piece` bytes, and gathers what it hears. */
  async function peer(bytes: Buffer, piece = bytes.length): Promise<{ path: string; heard: () => Buffer }> {
    let heard = empty;
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk]);
      });
      for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece));
    });
    stops.push(() => {
      for (const socket of open) socket.destroy();
    });
    return { path: await listen(server), heard: () => heard };
  }

  test.each<[string, Buffer[], string]>([
    ['an answer', [settings, headers, data, trailers], 'answered c'],
    ['an answer in padded frames', [settings, headers, padded, trailers], 'answered c'],
    ['early hints before an answer', [settings, early, headers, data, trailers], 'answered c'],
    [
      'frames of a kind that nobody knows',
      [settings, writeFrame(77, 255, 1, ok), headers, data, trailers],
      'answered c',
    ],
    ['an end of the connection after this call', [settings, goAway(1), headers, data, trailers], 'answered c'],
    [
      'trailers in two pieces',
      [
        settings,
        headers,
        data,
        writeFrame(FRAME.headers, FLAG.endStream, 1, half),
        writeFrame(FRAME.continuation, FLAG.endHeaders, 1, rest),
      ],
      'answered c',
    ],
    ['an end of the connection before this call', [settings, goAway(0)], 'closed the connection before it answered'],
    [
      'a goaway without content',
      [settings, writeFrame(FRAME.goAway, 0, 0, empty)],
      'closed the connection before it answered',
    ],
    ['an answer before settings', [headers, data, trailers], 'does not speak gRPC'],
    [
      'an answer to another call',
      [settings, writeFrame(FRAME.headers, FLAG.endHeaders, 3, ok)],
      'the answer of the daemon breaks the gRPC protocol: an answer to another call',
    ],
    ['data before headers', [settings, data], 'the answer of the daemon breaks the gRPC protocol: data before headers'],
    [
      'another frame between two pieces of a header',
      [settings, headers, writeFrame(FRAME.headers, 0, 1, half), settings],
      'the answer of the daemon breaks the gRPC protocol: a header block in pieces',
    ],
    [
      'a header that never ends',
      [
        settings,
        writeFrame(FRAME.headers, 0, 1, empty),
        ...Array.from({ length: 5 }, () => writeFrame(FRAME.continuation, 0, 1, Buffer.alloc(16_000))),
      ],
      'the answer of the daemon breaks the gRPC protocol: headers that are too large',
    ],
    [
      'a frame beyond what was allowed',
      [settings, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1])],
      'the answer of the daemon breaks the gRPC protocol: a frame that is too large',
    ],
    [
      'padding longer than its frame',
      [settings, headers, writeFrame(FRAME.data, FLAG.padded, 1, Buffer.from([9, 1]))],
      'the answer of the daemon breaks the gRPC protocol: a frame that is shorter than its padding',
    ],
    [
      'a push',
      [settings, writeFrame(FRAME.pushPromise, 0, 1, ok)],
      'the answer of the daemon breaks the gRPC protocol: a push that nobody asked for',
    ],
  ])('%s', async (_name, frames, said) => {
    const bytes = Buffer.concat(frames);
    expect(await outcome((await peer(bytes)).path)).toBe(said);
    expect(await outcome((await peer(bytes, 7)).path)).toBe(said);
  });

  test('a ping is answered with its own bytes, and settings are acknowledged', async () => {
    const ping = Buffer.from('8 bytes.');
    const { path, heard } = await peer(Buffer.concat([settings, writeFrame(FRAME.ping, 0, 0, ping)]));
    await expect(ask(path, 300)).rejects.toThrow('no answer within 0.3 s');
    expect(heard().includes(writeFrame(FRAME.settings, FLAG.ack, 0, empty))).toBe(true);
    expect(heard().includes(writeFrame(FRAME.ping, FLAG.ack, 0, ping))).toBe(true);
  });
});

test('a request that is too long for one frame goes over a channel, and arrives whole', async () => {
  let seen = 0;
  const server = createHttp2();
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      seen = SignRequest.decode(Buffer.concat(chunks).subarray(5)).principals.length;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(frame(SignResponse.encode(SignResponse.fromPartial({ certificate: 'long' })).finish()));
    });
  });
  const path = await listen(server);
  const invocation = { args: { string: () => path }, env: {} } as unknown as Invocation;
  const principals = Array.from({ length: 256 }, (_, n) => `${n}`.padStart(256, 'p'));
  const answer = await askDaemon(invocation, SIGN, SignRequest.fromPartial({ principals }));
  expect([answer.certificate, seen]).toEqual(['long', 256]);
});
