import { once } from 'node:events';
import { link, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FlexAuthDouble,
  type FlexAuthDoubleOptions,
  startFlexAuthDouble,
} from '../../src/doubles/flex-auth-server.ts';
import { flexAuthBody } from '../../src/policy/flex-auth.ts';
import { question } from '../contract/questions.ts';
import { examples } from '../registry/read-inventory.ts';

const example = (name: string): string => fileURLToPath(new URL(`flex-auth/${name}`, examples));
const NOW = Date.parse('2026-06-24T10:00:00Z');
const clock = { now: () => NOW, monotonic: () => 0 };
const asked = question({ actor: 'agt-state-hub-bridge', principal: 'agt-task-bridge' });
const BODY = flexAuthBody(asked);

let folder: string;
let running: FlexAuthDouble[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'double-'));
  running = [];
});
afterEach(async () => {
  for (const double of running) await double.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(over: Partial<FlexAuthDoubleOptions> = {}): Promise<FlexAuthDouble> {
  const double = await startFlexAuthDouble({
    addr: '127.0.0.1:0',
    registryFile: example('production_registry_snapshot.json'),
    policyFile: example('policy_package.md'),
    clock,
    ...over,
  });
  running.push(double);
  return double;
}

const post = (double: FlexAuthDouble, body: string, headers: Record<string, string> = {}) =>
  fetch(`${double.address}/v1/check`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });

describe('every answer carries the label of a double', () => {
  const json = { 'content-type': 'application/json' };
  const without = (key: string) => JSON.stringify({ ...JSON.parse(BODY), [key]: undefined });
  const withContext = (context: object) => JSON.stringify({ ...JSON.parse(BODY), context });
  it.each([
    ['health', 'GET', '/healthz', undefined, {}, 200, { status: 'ok' }],
    ['health with a query', 'GET', '/healthz?x=1', undefined, {}, 200, { status: 'ok' }],
    ['health by another method', 'POST', '/healthz', '', json, 405, { error: 'use GET, HEAD' }],
    ['an unknown route', 'GET', '/', undefined, {}, 404, { error: 'no such route' }],
    ['a route below a known one', 'POST', '/v1/check/x', BODY, json, 404, { error: 'no such route' }],
    ['a check by GET', 'GET', '/v1/check', undefined, {}, 405, { error: 'use POST' }],
    [
      'a form',
      'POST',
      '/v1/check',
      BODY,
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      { error: 'the body must be application/json' },
    ],
    ['no JSON', 'POST', '/v1/check', '{"subject":', json, 400, { error: 'the body is not JSON' }],
    ['no object', 'POST', '/v1/check', 'null', json, 400, { error: 'the request is missing or no object' }],
    ['no subject', 'POST', '/v1/check', without('subject'), json, 400, { error: 'subject is missing or no object' }],
    ['no tenant', 'POST', '/v1/check', without('tenant'), json, 400, { error: 'tenant is missing or no string' }],
    [
      'a key too many',
      'POST',
      '/v1/check',
      JSON.stringify({ ...JSON.parse(BODY), token: 's3cret' }),
      json,
      400,
      { error: 'the request has a key that the contract does not know' },
    ],
    [
      'hours in words',
      'POST',
      '/v1/check',
      withContext({ ttl_hours: '8' }),
      json,
      400,
      { error: 'context.ttl_hours is missing or no number' },
    ],
    [
      'principals that are no list',
      'POST',
      '/v1/check',
      withContext({ principals: 'root' }),
      json,
      400,
      { error: 'context.principals is missing or no array' },
    ],
    [
      'half a surrogate pair',
      'POST',
      '/v1/check',
      withContext({ principals: ['\ud800'] }),
      json,
      400,
      { error: 'context.principals.0 is not as the contract says' },
    ],
    [
      'a body too long',
      'POST',
      '/v1/check',
      ' '.repeat(65_537),
      json,
      413,
      { error: 'the body is longer than 65536 bytes' },
    ],
  ] as const)('%s: %s %s', async (_name, method, path, body, headers, status, answer) => {
    const double = await start();
    const response = await fetch(`${double.address}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect([response.status, response.headers.get('x-wardend-double'), await response.json()]).toEqual([
      status,
      '1',
      answer,
    ]);
  });

  it.each([
    ['what is no HTTP', 'NONSENSE\r\n\r\n', /^HTTP\/1\.1 400 .*x-wardend-double: 1\r\n/s],
    [
      'an expectation that it does not know',
      'GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: 9-lives\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 200 .*x-wardend-double: 1\r\n/s,
    ],
    [
      'a chunked body that never says how long it is',
      `POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n11000\r\n${' '.repeat(0x11000)}\r\n`,
      /^HTTP\/1\.1 413 .*x-wardend-double: 1\r\nconnection: close/s,
    ],
  ])('%s', async (_name, bytes, expected) => {
    const double = await start();
    const socket = createConnection(Number(new URL(double.address).port), '127.0.0.1');
    let said = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => {});
    socket.write(bytes);
    await once(socket, 'close');
    expect(said).toMatch(expected);
  });
});

describe('POST /v1/check', () => {
  it('answers with id, effect and reason, and says until when where it is told to', async () => {
    const double = await start({ decisionTtlMs: 60_000 });
    const response = await post(double, BODY, { 'x-request-id': 'request-1' });
    expect(response.headers.get('x-request-id')).toBe('request-1');
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^decision:[0-9a-f]{16}$/),
      effect: 'allow',
      reason: 'signing_policy_matched',
      expires_at: '2026-06-24T10:01:00.000Z',
    });
  });

  it('answers a deny with 200 and the reason', async () => {
    const double = await start();
    const response = await post(double, flexAuthBody({ ...asked, context: { ...asked.context, ttl_hours: 999 } }));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ id: expect.any(String), effect: 'deny', reason: 'ttl_out_of_bounds' });
  });

  it('gives each of a hundred decisions at once an id of its own and a line of its own', async () => {
    const logFile = join(folder, 'decisions.jsonl');
    const double = await start({ logFile });
    const answers = await Promise.all(Array.from({ length: 100 }, async () => (await post(double, BODY)).json()));
    const ids = answers.map((answer) => (answer as { id: string }).id);
    expect(new Set(ids).size).toBe(100);
    const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).id).sort()).toEqual([...ids].sort());
  });
});

describe('the decision log', () => {
  it('holds what the rules looked at, in order, and nothing else of the context', async () => {
    const logFile = join(folder, 'decisions.jsonl');
    const double = await start({ logFile });
    const context = { ...asked.context, reason: 'deploy', token: 's3cret-token' };
    const answer = (await (
      await post(double, flexAuthBody({ ...asked, context }), { 'x-request-id': 'r-1' })
    ).json()) as { id: string };
    const text = await readFile(logFile, 'utf8');
    expect(text).toBe(
      `{"time":"2026-06-24T10:00:00.000Z","id":"${answer.id}","effect":"allow","reason":"signing_policy_matched","request_id":"r-1",` +
        '"subject":"agt-state-hub-bridge","subject_type":"agt","tenant":"tenant:platform","resource":"ssh-cert:actor/agt-state-hub-bridge",' +
        '"resource_type":"ssh-certificate","system":"ops-warden","action":"sign","actor_type":"agt","principals":["agt-task-bridge"],' +
        '"pubkey_fingerprint":"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU","ttl_hours":1.5}\n',
    );
    expect((await stat(logFile)).mode & 0o777).toBe(0o600);
  });

  it('appends to what is there', async () => {
    const logFile = join(folder, 'decisions.jsonl');
    await writeFile(logFile, 'before\n');
    await post(await start({ logFile }), BODY);
    const [before, decision, end] = (await readFile(logFile, 'utf8')).split('\n');
    expect([before, JSON.parse(decision ?? '').effect, end]).toEqual(['before', 'allow', '']);
  });

  it('is not written through a symbolic link', async () => {
    await symlink(join(folder, 'elsewhere'), join(folder, 'log'));
    await expect(start({ logFile: join(folder, 'log') })).rejects.toMatchObject({
      code: 'config_invalid',
      message: 'the decision log cannot be opened',
    });
  });

  it('refuses a decision that it cannot record', async () => {
    const double = await start({ logFile: '/dev/full' });
    const response = await post(double, BODY);
    expect([response.status, response.headers.get('x-wardend-double'), await response.json()]).toEqual([
      503,
      '1',
      { error: 'the decision log cannot be written: no decision without its record' },
    ]);
  });
});

describe('reload', () => {
  it('takes the registry file as it now is', async () => {
    const registryFile = join(folder, 'registry.json');
    await writeFile(registryFile, await readFile(example('registry_snapshot.json')));
    const double = await start({ registryFile });
    expect(await (await post(double, BODY)).json()).toMatchObject({ effect: 'deny', reason: 'unknown_actor_resource' });
    await writeFile(registryFile, await readFile(example('production_registry_snapshot.json')));
    await double.reload();
    expect(await (await post(double, BODY)).json()).toMatchObject({
      effect: 'allow',
      reason: 'signing_policy_matched',
    });
  });

  it('keeps the old registry where the new one is broken, and says so', async () => {
    const registryFile = join(folder, 'registry.json');
    await writeFile(registryFile, await readFile(example('production_registry_snapshot.json')));
    const double = await start({ registryFile });
    await writeFile(registryFile, '{"version":1}');
    await expect(double.reload()).rejects.toMatchObject({ code: 'config_invalid' });
    expect(await (await post(double, BODY)).json()).toMatchObject({ effect: 'allow' });
  });
});

describe('where it listens', () => {
  it('a Unix socket for its owner alone, also where a dead one lies in the way', async () => {
    const path = join(folder, 'flex-auth.sock');
    const first = await start({ addr: `unix://${path}` });
    expect(first.address).toBe(`unix://${path}`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await status(path)).toBe(200);
    await expect(start({ addr: `unix://${path}` })).rejects.toMatchObject({
      code: 'socket_in_use',
      message: 'another program listens at this address',
    });

    const dead = join(folder, 'dead.sock');
    const killed = createServer().listen(join(folder, 'killed.sock'));
    await once(killed, 'listening');
    // A second name for the file survives the close, as the file of a killed process does.
    await link(join(folder, 'killed.sock'), dead);
    await new Promise((resolve) => killed.close(resolve));
    expect((await stat(dead)).isSocket()).toBe(true);
    await start({ addr: `unix://${dead}` });
    expect(await status(dead)).toBe(200);
  });

  it('not in the place of a file', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'precious');
    await expect(start({ addr: `unix://${path}` })).rejects.toMatchObject({ code: 'socket_in_use' });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it('not where another program has the port', async () => {
    const { port } = new URL((await start()).address);
    await expect(start({ addr: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'socket_in_use',
      message: 'the double cannot listen at this address',
    });
  });

  it('[::1] in brackets', async () => {
    expect((await start({ addr: '[::1]:0' })).address).toMatch(/^http:\/\/\[::1\]:\d+$/);
  });

  it.each([
    '',
    '8080',
    'localhost',
    ':8080',
    'unix://relative',
    'unix:///',
    '127.0.0.1:99999',
    'http://127.0.0.1:1',
    `unix:///${'x'.repeat(108)}`,
  ])('not at %j', async (addr) => {
    await expect(start({ addr })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('files that it cannot use', () => {
  it.each([
    ['a registry that is not there', { registryFile: '/nonexistent' }, 'the registry cannot be read, or is too large'],
    ['a registry without end', { registryFile: '/dev/zero' }, 'the registry cannot be read, or is too large'],
    ['a registry that is a folder', { registryFile: '/' }, 'the registry cannot be read, or is too large'],
    [
      'a policy package without rules',
      { policyFile: example('registry_snapshot.json') },
      'the policy package holds no ```cedar block',
    ],
    ['a log in a folder that is not there', { logFile: '/nonexistent/log' }, 'the decision log cannot be opened'],
  ])('%s', async (_name, over, message) => {
    await expect(start(over)).rejects.toMatchObject({ code: 'config_invalid', message });
  });
});

function status(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: '/healthz' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.once('error', reject);
    asking.end();
  });
}
