import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignRequest, SignResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { parseCertificateLine, verifyCertificate } from '../../src/ssh/certificate.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { Client, clear, houseOf, KEY, NO_LIMITS, recordOf, run } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseOf('dev', NO_LIMITS) });
});
afterAll(() => clear(daemon));

interface Reflected {
  readonly services: readonly string[];
  readonly response?: Readonly<Record<string, unknown>>;
  readonly code?: string;
  readonly details?: string;
  readonly errors?: readonly Readonly<Record<string, unknown>>[];
}

/** Python's grpcio with nothing but the socket: what it calls and reads it learns from reflection. */
async function python(method: string, request: unknown, reflection = 'v1alpha'): Promise<Reflected> {
  const args = [`${root}test/foreign/reflect.py`, daemon.socket, method, JSON.stringify(request)];
  const env = { PATH: process.env.PATH ?? '', PYTHONPATH: `${root}.cache/python`, REFLECTION: reflection };
  const { stdout } = await run('python3', args, { env });
  return JSON.parse(stdout) as Reflected;
}

describe('a client that no one here wrote', () => {
  it.each(['v1', 'v1alpha'])('finds the services through reflection %s and gets a certificate', async (reflection) => {
    const { services, response } = await python(
      'Sign',
      { actor: 'agt-test', publicKey: KEY, ttlSeconds: '900' },
      reflection,
    );
    expect(services).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'warden.v1.Warden',
    ]);
    const { certificate, evidence } = response as { certificate: string; evidence: Record<string, string> };
    const parsed = parseCertificateLine(certificate);
    expect(verifyCertificate(parsed)).toBe(true);
    expect(String(parsed.serial)).toBe(evidence.serial);
    const record = await recordOf(daemon.house, evidence.ledgerSeq);
    expect(record).toMatchObject({
      kind: 'sign',
      outcome: 'ok',
      serial: evidence.serial,
      request_id: evidence.requestId,
    });
    expect(record?.caller?.exe).toMatch(/python3/);
  });

  const refused: readonly (readonly [string, Record<string, unknown>, string, string, string])[] = [
    [
      'a TTL beyond its bounds',
      { actor: 'agt-test', publicKey: KEY, ttlSeconds: '3596400' },
      'PERMISSION_DENIED',
      'ttl_out_of_bounds',
      '999h is above the maximum of 8h for agt-test',
    ],
    [
      'somebody else’s actor',
      { actor: 'agt-foreign', publicKey: KEY },
      'PERMISSION_DENIED',
      'caller_not_allowed',
      'this caller may not ask for that',
    ],
    ['no key', { actor: 'agt-test', publicKey: 'ssh-ed25519 AAAA' }, 'INVALID_ARGUMENT', 'public_key_malformed', 'key'],
    [
      'a principal that is not the actor’s',
      { actor: 'agt-test', publicKey: KEY, principals: ['root'] },
      'PERMISSION_DENIED',
      'disallowed_principal',
      'principal',
    ],
  ];
  it.each(refused)('reads why it is refused: %s', async (_name, request, code, reason, words) => {
    const answer = await python('Sign', request);
    expect(answer.code).toBe(code);
    expect(answer.details).toContain(words);
    const [info] = answer.errors ?? [];
    expect(info).toMatchObject({ '@type': 'google.rpc.ErrorInfo', reason, domain: 'warden' });
    const { ledger_seq, request_id, hint } = (info?.metadata ?? {}) as Record<string, string>;
    expect(hint).not.toBe('');
    expect(await recordOf(daemon.house, ledger_seq)).toMatchObject({
      kind: 'sign',
      outcome: 'refused',
      reason,
      request_id,
    });
  });

  it('asks for the health of the whole and of its parts', async () => {
    for (const service of ['', 'ledger', 'config', 'ca', 'policy']) {
      expect((await python('grpc.health.v1.Health/Check', { service })).response).toEqual({ status: 'SERVING' });
    }
    expect(await python('grpc.health.v1.Health/Check', { service: 'nonsense' })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('asks for the status', async () => {
    const { response } = await python('Status', {});
    expect(response).toMatchObject({ posture: 'dev', pid: daemon.pid });
  });
});

/** One call with bytes and headers of our own; the connection is kept for the next. */
class Wire {
  readonly #session;

  constructor(socket: string) {
    this.#session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
    this.#session.on('error', () => {});
  }

  async call(
    path: string,
    body: Buffer,
    headers: IncomingHttpHeaders = {},
  ): Promise<{ status: string; message: string; body: Buffer }> {
    const seen: Record<string, unknown> = {};
    const base = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc+proto', te: 'trailers' };
    const call = this.#session.request({ ...base, ...headers });
    const chunks: Buffer[] = [];
    call.on('response', (all) => Object.assign(seen, all));
    call.on('trailers', (all) => Object.assign(seen, all));
    call.on('data', (chunk: Buffer) => chunks.push(chunk));
    call.on('error', () => {});
    call.end(body);
    await new Promise((resolve) => call.on('close', resolve));
    const status = String(seen['grpc-status'] ?? seen[':status'] ?? 'none');
    return { status, message: String(seen['grpc-message'] ?? ''), body: Buffer.concat(chunks) };
  }

  close(): void {
    this.#session.destroy();
  }
}

const framed = (message: Uint8Array, flag = 0, claimed = message.length): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag, 0);
  prefix.writeUInt32BE(claimed, 1);
  return Buffer.concat([prefix, message]);
};
const SIGN = '/warden.v1.Warden/Sign';
const good = framed(SignRequest.encode(SignRequest.fromPartial({ actor: 'agt-test', publicKey: KEY })).finish());
const sized = (bytes: number): Buffer =>
  framed(
    SignRequest.encode(
      SignRequest.fromPartial({ actor: 'agt-test', publicKey: KEY, reason: 'x'.repeat(bytes) }),
    ).finish(),
  );

describe('a request that is wrong is refused, and its connection lives on', () => {
  const rows: readonly (readonly [string, string, Buffer, IncomingHttpHeaders, string])[] = [
    ['a method that does not exist', '/warden.v1.Warden/Nonsense', good, {}, '12'],
    ['a service that does not exist', '/nonsense.v1.Nonsense/Sign', good, {}, '12'],
    ['a path that is none', '/', good, {}, '12'],
    ['a message over the limit', SIGN, sized(300_000), {}, '8'],
    ['a message that claims more than the limit', SIGN, framed(Buffer.alloc(10), 0, 0x7fffffff), {}, '8'],
    ['a reason that is too long', SIGN, sized(10_000), {}, '3'],
    ['bytes that are no message', SIGN, framed(Buffer.alloc(64, 0xff)), {}, '13'],
    ['a compression that nobody has', SIGN, framed(Buffer.alloc(8), 1), { 'grpc-encoding': 'brotli' }, '12'],
    ['a content type that is not gRPC', SIGN, good, { 'content-type': 'application/json' }, '415'],
  ];
  it.each(rows)('%s', async (_name, path, body, headers, status) => {
    const wire = new Wire(daemon.socket);
    try {
      expect((await wire.call(path, body, headers)).status).toBe(status);
      const after = await wire.call(SIGN, good);
      expect(after.status).toBe('0');
      expect(SignResponse.decode(after.body.subarray(5)).evidence?.principals).toEqual(['agt-test', 'agt-other']);
    } finally {
      wire.close();
    }
  });

  it('metadata of many kilobytes is refused or ignored, and harms nobody', async () => {
    const wire = new Wire(daemon.socket);
    const other = await Client.open(daemon.socket);
    try {
      expect((await wire.call(SIGN, good, { 'x-large': 'y'.repeat(8_000) })).status).toBe('0');
      const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`x-large-${n}`, 'y'.repeat(8_000)]));
      expect((await wire.call(SIGN, good, many)).status).not.toBe('0');
      expect((await other.sign()).evidence?.posture).toBe('dev');
    } finally {
      wire.close();
      other.close();
    }
  });
});
