import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PolicyFault, type PolicyFaultKind } from '../../src/policy/decision-point.ts';
import { ruleOnFault } from '../../src/policy/fault-rule.ts';
import { createGate, type GateDeps } from '../../src/policy/gate.ts';
import type { PolicySettings } from '../../src/policy/settings.ts';
import { answering, type Behaviour, http, rawServer } from './support/raw-server.ts';
import { ALLOW, policySettings, QUESTION } from './support/settings.ts';
import { testAuthority } from './support/x509.ts';

type Decided = { readonly effect: 'allow' | 'deny'; readonly id: string; readonly reason: string };
type Faulted = { readonly fault: PolicyFaultKind; readonly says: RegExp };

interface Row {
  readonly name: string;
  readonly server: Behaviour | 'refuses' | 'missing socket';
  readonly expect: Decided | Faulted;
  /** For rows that are about the deadline. Elsewhere it is long, so that a slow machine changes nothing. */
  readonly timeoutMs?: number;
  readonly auth?: (folder: string) => Partial<PolicySettings>;
  readonly deps?: Partial<GateDeps>;
  readonly over?: 'unix' | 'tls' | 'tls-expired' | 'tls-other-name' | 'tls-other-ca';
  readonly protocol?: 'authzen';
}

const REQUEST_ID = '0199a0b0-0000-7000-8000-000000000001';
const allow = (more: object): Behaviour => answering({ ...ALLOW, ...more });
const write =
  (...parts: (string | Buffer)[]): Behaviour =>
  (socket) => {
    for (const part of parts) socket.write(part);
  };
const end =
  (...parts: (string | Buffer)[]): Behaviour =>
  (socket) => {
    for (const part of parts) socket.write(part);
    socket.end();
  };
const BODY = JSON.stringify(ALLOW);
const head = (extra: string): string => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${extra}\r\n`;
const allowed: Decided = { effect: 'allow', id: ALLOW.id, reason: ALLOW.reason };
const invalid = (says: RegExp): Faulted => ({ fault: 'answer', says });
const down = (says: RegExp): Faulted => ({ fault: 'unreachable', says });
const late: Faulted = { fault: 'timeout', says: /^the decision point did not answer in time$/ };
const status = (code: number): Faulted => ({ fault: 'http_status', says: new RegExp(`^.* answered HTTP ${code}$`) });
const untrusted = (says: RegExp): Faulted => ({ fault: 'untrusted', says });
const brokenContract = (field: string): Faulted =>
  invalid(new RegExp(`^the answer breaks the contract of flex-auth \\(${field}\\)$`));

function drip(socket: net.Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(text.slice(at, at + 1));
    at += 1;
    if (at >= text.length) clearInterval(timer);
  }, 20);
  socket.on('close', () => clearInterval(timer));
}

const ROWS: Row[] = [
  // nobody there
  { name: 'a refused connection', server: 'refuses', expect: down(/\(ECONNREFUSED\)$/) },
  { name: 'a unix socket that is missing', server: 'missing socket', expect: down(/\(ENOENT\)$/) },
  // too slow
  { name: 'no answer at all', server: () => {}, timeoutMs: 200, expect: late },
  { name: 'headers that drip', server: (s) => drip(s, http(200, BODY)), timeoutMs: 300, expect: late },
  {
    name: 'a body that drips',
    server: (s) => {
      s.write(head(`content-length: ${BODY.length}\r\n`));
      drip(s, BODY);
    },
    timeoutMs: 300,
    expect: late,
  },
  { name: 'a body that never comes', server: write(head('content-length: 10\r\n')), timeoutMs: 200, expect: late },
  {
    name: 'chunks that never end, slowly',
    server: (s) => {
      s.write(head('transfer-encoding: chunked\r\n'));
      drip(s, '1\r\n \r\n'.repeat(500));
    },
    timeoutMs: 300,
    expect: late,
  },
  // broken connections
  { name: 'a reset before the headers', server: (s) => s.resetAndDestroy(), expect: down(/ECONNRESET|UND_ERR_SOCKET/) },
  { name: 'an end before the headers', server: end(), expect: down(/UND_ERR_SOCKET/) },
  { name: 'an end within the headers', server: end('HTTP/1.1 200 OK\r\ncontent-'), expect: down(/UND_ERR_SOCKET/) },
  {
    name: 'an end within the body',
    server: end(head('content-length: 500\r\n'), BODY),
    expect: invalid(/^the answer broke off$/),
  },
  {
    name: 'an end within a chunk',
    server: end(head('transfer-encoding: chunked\r\n'), 'ff\r\n', BODY),
    expect: invalid(/^the answer broke off$/),
  },
  {
    name: 'an interim answer that nobody asked for',
    server: write('HTTP/1.1 100 Continue\r\n\r\n', http(200, BODY)),
    expect: down(/UND_ERR_SOCKET/),
  },
  // HTTP status
  ...[301, 302, 303, 307, 308].map(
    (code): Row => ({
      name: `a ${code} redirect, which is not followed`,
      server: write(http(code, BODY, { location: '/v1/elsewhere' })),
      expect: invalid(new RegExp(`HTTP ${code}$`)),
    }),
  ),
  ...[400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504].map(
    (code): Row => ({
      name: `HTTP ${code}, even with an allow in its body`,
      server: write(http(code, BODY)),
      expect: status(code),
    }),
  ),
  {
    name: 'HTTP 500 whose body never ends',
    server: write(http(500, 'x', { 'content-length': '9999' })),
    expect: status(500),
  },
  { name: 'HTTP 204', server: write('HTTP/1.1 204 No Content\r\n\r\n'), expect: invalid(/HTTP 204$/) },
  { name: 'HTTP 201 with an allow', server: write(http(201, BODY)), expect: invalid(/HTTP 201$/) },
  { name: 'HTTP 206 with an allow', server: write(http(206, BODY)), expect: invalid(/HTTP 206$/) },
  // not HTTP
  {
    name: 'something that is not HTTP',
    server: end('SSH-2.0-OpenSSH_9.2\r\n'),
    expect: invalid(/^the answer is not HTTP$/),
  },
  {
    name: 'headers without end',
    server: (s) => {
      s.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(40_000)}\r\n`);
    },
    expect: invalid(/^the answer is not HTTP$/),
  },
  {
    name: 'two lengths that differ',
    server: write(head(`content-length: ${BODY.length}\r\ncontent-length: 5\r\n`), BODY),
    expect: invalid(/^the answer is not HTTP/),
  },
  {
    name: 'a length and chunks at once',
    server: write(head(`content-length: ${BODY.length}\r\ntransfer-encoding: chunked\r\n`), '0\r\n\r\n'),
    expect: invalid(/^the answer is not HTTP/),
  },
  // not JSON
  {
    name: 'the wrong content type',
    server: write(http(200, BODY, { 'content-type': 'text/html' })),
    expect: invalid(/application\/json$/),
  },
  {
    name: 'a content type that only begins like JSON',
    server: write(http(200, BODY, { 'content-type': 'application/json-seq' })),
    expect: invalid(/application\/json$/),
  },
  {
    name: 'another charset',
    server: write(http(200, BODY, { 'content-type': 'application/json; charset=utf-16' })),
    expect: invalid(/application\/json$/),
  },
  {
    name: 'no content type',
    server: write(http(200, BODY, { 'content-type': null })),
    expect: invalid(/application\/json$/),
  },
  {
    name: 'two content types',
    server: write(http(200, BODY, { 'Content-Type': 'application/json' })),
    expect: invalid(/application\/json$/),
  },
  {
    name: 'gzip that nobody asked for',
    server: (s) => {
      const z = gzipSync(BODY);
      s.write(head(`content-encoding: gzip\r\ncontent-length: ${z.length}\r\n`));
      s.write(z);
    },
    expect: invalid(/compressed/),
  },
  { name: 'truncated JSON', server: write(http(200, BODY.slice(0, -5))), expect: invalid(/^the answer is not JSON$/) },
  { name: 'two JSON values', server: write(http(200, BODY + BODY)), expect: invalid(/^the answer is not JSON$/) },
  { name: 'an empty body', server: write(http(200, '')), expect: invalid(/^the answer is not JSON$/) },
  {
    name: 'bytes that are not UTF-8',
    server: write(head('content-length: 9\r\n'), Buffer.from('{"a":"\xff"}', 'latin1')),
    expect: invalid(/^the answer is not JSON$/),
  },
  { name: 'a byte order mark', server: write(http(200, `\ufeff${BODY}`)), expect: invalid(/^the answer is not JSON$/) },
  {
    name: 'huge JSON',
    server: write(http(200, JSON.stringify({ ...ALLOW, pad: 'x'.repeat(70_000) }))),
    expect: invalid(/^the answer is too large$/),
  },
  {
    name: 'a length far beyond any answer',
    server: write(head('content-length: 99999999999\r\n'), 'x'.repeat(70_000)),
    expect: invalid(/^the answer is too large$/),
  },
  {
    name: 'chunks that never end, fast',
    server: (s) => {
      const more = (): void => {
        while (!s.destroyed && s.write(`1000\r\n${' '.repeat(4096)}\r\n`));
      };
      s.on('drain', more);
      s.write(head('transfer-encoding: chunked\r\n'));
      more();
    },
    expect: invalid(/^the answer is too large$/),
  },
  {
    name: 'an effect that is named twice',
    server: write(http(200, `{"effect":"deny","id":"d:1","effect":"allow"}`)),
    expect: invalid(/^the answer names a field twice$/),
  },
  {
    name: 'an effect that is named twice, once in disguise',
    server: write(http(200, `{"effect":"deny","id":"d:1","e\\u0066fect":"allow"}`)),
    expect: invalid(/^the answer names a field twice$/),
  },
  // not the contract
  { name: 'null', server: answering(null), expect: brokenContract('the whole') },
  { name: 'an array', server: answering([ALLOW]), expect: brokenContract('the whole') },
  { name: 'a string', server: answering('allow'), expect: brokenContract('the whole') },
  { name: 'true', server: answering(true), expect: brokenContract('the whole') },
  { name: 'an empty object', server: answering({}), expect: brokenContract('effect') },
  { name: 'an unknown effect', server: allow({ effect: 'permit' }), expect: brokenContract('effect') },
  { name: 'an effect in capitals', server: allow({ effect: 'ALLOW' }), expect: brokenContract('effect') },
  { name: 'an effect with a space', server: allow({ effect: 'allow ' }), expect: brokenContract('effect') },
  { name: 'an effect that is a list', server: allow({ effect: ['allow'] }), expect: brokenContract('effect') },
  {
    name: 'an effect of the prototype alone',
    server: write(http(200, '{"__proto__":{"effect":"allow"},"id":"d:1"}')),
    expect: brokenContract('effect'),
  },
  {
    name: 'an allow without an id',
    server: allow({ id: undefined }),
    expect: invalid(/^an allow without a decision id$/),
  },
  { name: 'an allow with an empty id', server: allow({ id: '' }), expect: invalid(/^an allow without a decision id$/) },
  {
    name: 'an allow whose ids are both empty',
    server: allow({ id: '', request_id: '' }),
    expect: invalid(/^an allow without a decision id$/),
  },
  { name: 'an id that is a number', server: allow({ id: 7 }), expect: brokenContract('id') },
  {
    name: 'an id of 129 characters',
    server: allow({ id: 'd'.repeat(129) }),
    expect: invalid(/^the decision id is too long/),
  },
  { name: 'an id with a newline', server: allow({ id: 'd:1\nforged' }), expect: invalid(/^the decision id/) },
  { name: 'an id with a space', server: allow({ id: 'd 1' }), expect: invalid(/^the decision id/) },
  {
    name: 'a deny whose id is not printable',
    server: allow({ effect: 'deny', id: 'd:\u0000' }),
    expect: invalid(/^the decision id/),
  },
  { name: 'a reason that is a number', server: allow({ reason: 7 }), expect: brokenContract('reason') },
  { name: 'a reason with a NUL', server: allow({ reason: 'a\u0000b' }), expect: invalid(/^the reason is too long/) },
  {
    name: 'a reason that steers a terminal',
    server: allow({ effect: 'deny', reason: '\u001b[2J' }),
    expect: invalid(/^the reason/),
  },
  { name: 'a reason of 257 characters', server: allow({ reason: 'r'.repeat(257) }), expect: invalid(/^the reason/) },
  { name: 'an expiry in words', server: allow({ expires_at: 'tomorrow' }), expect: brokenContract('expires_at') },
  { name: 'an expiry as a number', server: allow({ expires_at: 1_782_295_200 }), expect: brokenContract('expires_at') },
  {
    name: 'an expiry on no day',
    server: allow({ expires_at: '2026-02-30T10:00:00Z' }),
    expect: brokenContract('expires_at'),
  },
  {
    name: 'an allow that has expired',
    server: allow({ expires_at: '2020-01-01T00:00:00Z' }),
    expect: invalid(/^the allow had expired when it arrived$/),
  },
  // answers that count
  { name: 'an allow', server: answering(ALLOW), expect: allowed },
  {
    name: 'a deny',
    server: allow({ effect: 'deny', reason: 'ttl_out_of_bounds' }),
    expect: { effect: 'deny', id: ALLOW.id, reason: 'ttl_out_of_bounds' },
  },
  {
    name: 'a deny without an id',
    server: allow({ effect: 'deny', id: null, reason: null }),
    expect: { effect: 'deny', id: REQUEST_ID, reason: '' },
  },
  {
    name: 'a deny that has expired',
    server: allow({ effect: 'deny', expires_at: '2020-01-01T00:00:00Z' }),
    expect: { effect: 'deny', id: ALLOW.id, reason: ALLOW.reason },
  },
  {
    name: 'an allow with request_id alone',
    server: allow({ id: undefined, request_id: 'r:9' }),
    expect: { ...allowed, id: 'r:9' },
  },
  {
    name: 'an allow with an empty id and a request_id',
    server: allow({ id: '', request_id: 'r:9' }),
    expect: { ...allowed, id: 'r:9' },
  },
  { name: 'an allow without a reason', server: allow({ reason: undefined }), expect: { ...allowed, reason: '' } },
  {
    name: 'an allow with fields that nobody knows',
    server: allow({ obligations: [{ a: 1 }], version: 3 }),
    expect: allowed,
  },
  {
    name: 'an allow that expires far off',
    server: allow({ expires_at: '2999-01-01T00:00:00+02:00' }),
    expect: allowed,
  },
  {
    name: 'an allow in chunks',
    server: write(head('transfer-encoding: chunked\r\n'), `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`),
    expect: allowed,
  },
  {
    name: 'an allow over HTTP/1.0 that ends with its connection',
    server: end(`HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${BODY}`),
    expect: allowed,
  },
  {
    name: 'an allow after early hints',
    server: write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n', http(200, BODY)),
    expect: allowed,
  },
  {
    name: 'an allow with a charset',
    server: write(http(200, BODY, { 'content-type': 'Application/JSON; charset=UTF-8' })),
    expect: allowed,
  },
  {
    name: 'a reset, then an allow on a new connection',
    server: (s, _r, nth) => {
      if (nth === 1) s.resetAndDestroy();
      else s.write(http(200, BODY));
    },
    expect: allowed,
  },
  // who answers
  { name: 'a double in prod', server: answering(ALLOW, { 'x-wardend-double': '1' }), expect: untrusted(/double/) },
  {
    name: 'a double in prod that fails',
    server: write(http(503, '', { 'x-wardend-double': '1' })),
    expect: untrusted(/double/),
  },
  {
    name: 'a double in prod that says it is none',
    server: answering(ALLOW, { 'X-Wardend-Double': '0' }),
    expect: untrusted(/double/),
  },
  {
    name: 'a double where doubles are welcome',
    server: answering(ALLOW, { 'x-wardend-double': '1' }),
    deps: { acceptDoubles: true },
    expect: allowed,
  },
  {
    name: 'the right uid behind the socket',
    over: 'unix',
    server: answering(ALLOW),
    auth: () => ({ auth: auth({ peerUid: 4711 }) }),
    deps: { peerUidOf: () => 4711 },
    expect: allowed,
  },
  {
    name: 'another uid behind the socket',
    over: 'unix',
    server: answering(ALLOW),
    auth: () => ({ auth: auth({ peerUid: 4711 }) }),
    deps: { peerUidOf: () => 1000 },
    expect: untrusted(/^uid 1000 answers at the socket/),
  },
  {
    name: 'a uid that cannot be read',
    over: 'unix',
    server: answering(ALLOW),
    auth: () => ({ auth: auth({ peerUid: 4711 }) }),
    expect: untrusted(/cannot be read$/),
  },
  { name: 'a trusted certificate', over: 'tls', server: answering(ALLOW), expect: allowed },
  {
    name: 'a certificate of an unknown authority',
    over: 'tls-other-ca',
    server: answering(ALLOW),
    expect: untrusted(/^TLS with the decision point failed/),
  },
  {
    name: 'a certificate that has expired',
    over: 'tls-expired',
    server: answering(ALLOW),
    expect: untrusted(/CERT_HAS_EXPIRED/),
  },
  {
    name: 'a certificate of another host',
    over: 'tls-other-name',
    server: answering(ALLOW),
    expect: untrusted(/ERR_TLS_CERT_ALTNAME_INVALID/),
  },
  {
    name: 'plain HTTP where TLS is wanted',
    over: 'tls',
    server: answering(ALLOW),
    auth: () => ({ url: 'plain' }),
    expect: untrusted(/^TLS with the decision point failed/),
  },
  {
    name: 'a CA file that is missing',
    over: 'tls',
    server: answering(ALLOW),
    auth: (folder) => ({ caFile: join(folder, 'none.pem') }),
    expect: untrusted(/^policy.ca_file cannot be read \(ENOENT\)$/),
  },
  {
    name: 'a bearer file that is missing',
    server: answering(ALLOW),
    auth: (folder) => ({ auth: auth({ bearerFile: join(folder, 'none') }) }),
    expect: untrusted(/^policy.auth.bearer_file cannot be read \(ENOENT\)$/),
  },
  {
    name: 'a bearer file that all can read',
    server: answering(ALLOW),
    auth: (folder) => ({ auth: auth({ bearerFile: join(folder, 'open') }) }),
    expect: untrusted(/can be read by others$/),
  },
  {
    name: 'a bearer file with a header in it',
    server: answering(ALLOW),
    auth: (folder) => ({ auth: auth({ bearerFile: join(folder, 'forged') }) }),
    expect: untrusted(/holds no bearer token$/),
  },
  // AuthZEN
  {
    name: 'AuthZEN: true',
    protocol: 'authzen',
    server: answering({ decision: true, context: { id: 'z:1', reason: 'ok' } }),
    expect: { effect: 'allow', id: 'z:1', reason: 'ok' },
  },
  {
    name: 'AuthZEN: true without an id',
    protocol: 'authzen',
    server: answering({ decision: true }),
    expect: { effect: 'allow', id: REQUEST_ID, reason: '' },
  },
  {
    name: 'AuthZEN: false',
    protocol: 'authzen',
    server: answering({ decision: false }),
    expect: { effect: 'deny', id: REQUEST_ID, reason: '' },
  },
  {
    name: 'AuthZEN: the undefined answer of OPA',
    protocol: 'authzen',
    server: answering({}),
    expect: { effect: 'deny', id: REQUEST_ID, reason: '' },
  },
  {
    name: 'AuthZEN: an object without a decision',
    protocol: 'authzen',
    server: answering({ error: 'no such tenant' }),
    expect: invalid(/breaks AuthZEN 1.0 \(decision\)$/),
  },
  {
    name: 'AuthZEN: "true" in quotes',
    protocol: 'authzen',
    server: answering({ decision: 'true' }),
    expect: invalid(/breaks AuthZEN 1.0 \(decision\)$/),
  },
  { name: 'AuthZEN: 1', protocol: 'authzen', server: answering({ decision: 1 }), expect: invalid(/\(decision\)$/) },
  {
    name: 'AuthZEN: null',
    protocol: 'authzen',
    server: answering({ decision: null }),
    expect: invalid(/\(decision\)$/),
  },
  {
    name: 'AuthZEN: an id that is a number',
    protocol: 'authzen',
    server: answering({ decision: true, context: { id: 7 } }),
    expect: invalid(/^the decision id is no string/),
  },
  {
    name: 'AuthZEN: a context that is a list',
    protocol: 'authzen',
    server: answering({ decision: true, context: [] }),
    expect: invalid(/\(context\)$/),
  },
  { name: 'AuthZEN: HTTP 400 for a field', protocol: 'authzen', server: write(http(400, '{}')), expect: status(400) },
  {
    name: 'AuthZEN: a redirect',
    protocol: 'authzen',
    server: write(http(302, '', { location: '/' })),
    expect: invalid(/HTTP 302$/),
  },
];

function auth(more: Partial<PolicySettings['auth']>): PolicySettings['auth'] {
  return { bearerFile: null, clientCert: null, peerUid: null, ...more };
}

const OPENS: PolicyFaultKind[] = ['unreachable', 'timeout', 'http_status'];

describe('what the gate makes of each answer', () => {
  let folder = '';
  const authority = testAuthority('synthetic-ca');
  const certificates = {
    tls: authority.issue('synthetic-pdp'),
    'tls-expired': authority.issue('synthetic-pdp', { notAfter: new Date('2021-01-01T00:00:00Z') }),
    'tls-other-name': authority.issue('synthetic-pdp', { ip: '192.0.2.1' }),
    'tls-other-ca': testAuthority('synthetic-other').issue('synthetic-pdp'),
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warden-gate-'));
    await writeFile(join(folder, 'ca.pem'), authority.cert);
    await writeFile(join(folder, 'open'), 'synthetic-token', { mode: 0o644 });
    await chmod(join(folder, 'open'), 0o644);
    await writeFile(join(folder, 'forged'), 'synthetic\r\nx-admin: 1', { mode: 0o600 });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(row: Row): Promise<{ url: string; close: () => Promise<void> }> {
    const socket = join(folder, `${randomBytes(4).toString('hex')}.sock`);
    if (row.server === 'missing socket') return { url: `unix://${socket}`, close: async () => {} };
    if (row.server === 'refuses') {
      const gone = await rawServer(() => {});
      await gone.close();
      return { url: `http://127.0.0.1:${gone.port}`, close: async () => {} };
    }
    if (row.over === undefined || row.over === 'unix') {
      const server = await rawServer(row.server, row.over === 'unix' ? { path: socket } : {});
      return { url: row.over === 'unix' ? `unix://${socket}` : `http://127.0.0.1:${server.port}`, close: server.close };
    }
    const plain = row.auth?.(folder).url === 'plain';
    const server = await rawServer(row.server, plain ? {} : { tls: certificates[row.over] });
    return { url: `https://127.0.0.1:${server.port}`, close: server.close };
  }

  test.each(ROWS.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const server = await start(row);
    const settings = policySettings(server.url, {
      timeoutMs: row.timeoutMs ?? 10_000,
      protocol: row.protocol ?? 'flex-auth',
      caFile: row.over?.startsWith('tls') ? join(folder, 'ca.pem') : null,
      ...row.auth?.(folder),
      url: server.url,
    });
    const gate = createGate(settings, { acceptDoubles: false, ...row.deps });
    try {
      const outcome = await gate.decide(QUESTION, { requestId: REQUEST_ID }).catch((error: unknown) => error);
      if ('effect' in row.expect) {
        expect(outcome).toMatchObject({ ...row.expect, cached: false });
        expect(gate.status().faults).toBe(0);
        return;
      }
      if (!(outcome instanceof PolicyFault))
        throw new Error(`no fault but ${JSON.stringify(outcome)}`, { cause: outcome });
      expect(outcome.kind).toBe(row.expect.fault);
      expect(outcome.message).toMatch(row.expect.says);
      expect(gate.status()).toMatchObject({ faults: 1, lastFault: { kind: row.expect.fault } });

      const code = row.expect.fault === 'answer' ? 'policy_answer_invalid' : 'policy_unavailable';
      const refused = { outcome: 'refuse', error: { code } };
      const opens = OPENS.includes(row.expect.fault);
      expect(ruleOnFault(outcome, { failClosed: true, breakGlassOpen: false })).toMatchObject(refused);
      expect(ruleOnFault(outcome, { failClosed: false, breakGlassOpen: false })).toMatchObject(
        opens ? { outcome: 'release', because: 'fail_open' } : refused,
      );
      expect(ruleOnFault(outcome, { failClosed: true, breakGlassOpen: true })).toMatchObject(
        opens ? { outcome: 'release', because: 'break_glass' } : refused,
      );
    } finally {
      await server.close();
      await gate.close();
    }
  });
});
