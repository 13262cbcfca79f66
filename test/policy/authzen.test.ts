import { afterEach, describe, expect, test } from 'vitest';
import { authzenBody, authzenDecision, createAuthzen } from '../../src/policy/authzen.ts';
import { createHttpClient } from '../../src/policy/http-client.ts';
import { http, type RawServer, rawServer } from './support/raw-server.ts';
import { policySettings, QUESTION } from './support/settings.ts';

const REQUEST_ID = '0199a0b0-0000-7000-8000-000000000001';
const ask = { requestId: REQUEST_ID };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function point(url: string, healthPath: string | null = null) {
  const made = createAuthzen(createHttpClient({ settings: policySettings(url), acceptDoubles: false }), { healthPath });
  cleanups.push(made.close);
  return made;
}

/** Answers metadata under any path of that name and a decision elsewhere. */
async function serve(metadata: (server: { port: number }) => unknown): Promise<RawServer> {
  const server: RawServer = await rawServer((socket, { path, headers }) => {
    if (path.includes('/.well-known/')) socket.write(http(200, JSON.stringify(metadata(server))));
    else socket.write(http(200, '{"decision":true}', { 'x-request-id': headers['x-request-id'] ?? null }));
  });
  cleanups.push(server.close);
  return server;
}

describe('the question', () => {
  test('is AuthZEN byte for byte, with the context for those who see it only in properties', () => {
    expect(authzenBody({ ...QUESTION, context: { principals: ['p'], ttl_hours: 1.5 } })).toBe(
      '{"subject":{"type":"agt","id":"iam:agt-state-hub-bridge","properties":{"tenant":"tenant:platform"}},' +
        '"action":{"name":"sign","properties":{"tenant":"tenant:platform"}},' +
        '"resource":{"type":"ssh-certificate","id":"ssh-cert:actor/agt-state-hub-bridge",' +
        '"properties":{"principals":["p"],"ttl_hours":1.5,"tenant":"tenant:platform","system":"ops-warden"}},' +
        '"context":{"principals":["p"],"ttl_hours":1.5}}',
    );
  });

  test('a context cannot pass itself off as tenant or system', () => {
    const body = JSON.parse(authzenBody({ ...QUESTION, context: { tenant: 'tenant:other', system: 'other' } }));
    expect(body.resource.properties).toEqual({ tenant: 'tenant:platform', system: 'ops-warden' });
  });
});

describe('the decision id', () => {
  test.each([
    ['is the one in the context', { decision: true, context: { id: 'z:1' } }, REQUEST_ID, 'z:1', 'pdp'],
    ['is the one in the context for a deny too', { decision: false, context: { id: 'z:1' } }, null, 'z:1', 'pdp'],
    ['is the request id that came back', { decision: true, context: { id: '' } }, REQUEST_ID, REQUEST_ID, 'echoed'],
    ['is ours where nothing came back', { decision: true }, null, REQUEST_ID, 'pep'],
    ['is ours where another id came back', { decision: true, context: null }, 'r:other', REQUEST_ID, 'pep'],
    ['of an undefined answer is the echoed one', {}, REQUEST_ID, REQUEST_ID, 'echoed'],
  ])('%s', (_name, json, echoed, id, idSource) => {
    const header = (name: string): string | null => (name === 'x-request-id' ? echoed : null);
    expect(authzenDecision({ json, header }, REQUEST_ID)).toMatchObject({ id, idSource });
  });

  test('that came back is read from the answer on the wire', async () => {
    const server = await serve(() => ({}));
    const decision = await point(`http://127.0.0.1:${server.port}`).decide(QUESTION, ask);
    expect(decision).toEqual({
      effect: 'allow',
      id: REQUEST_ID,
      idSource: 'echoed',
      reason: '',
      expiresAt: null,
      cached: false,
    });
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/access/v1/evaluation',
      body: authzenBody(QUESTION),
      headers: { 'x-request-id': REQUEST_ID },
    });
  });
});

describe('an undefined answer', () => {
  test.each([
    ['empty', {}],
    ['with what OPA adds', { decision_id: '4ca636c1', metrics: {}, provenance: {}, warning: {} }],
  ])('%s is a deny', (_name, json) => {
    expect(authzenDecision({ json, header: () => null }, REQUEST_ID)).toMatchObject({ effect: 'deny', reason: '' });
  });
});

describe('the reason', () => {
  test.each([
    ['reason as text', { reason: 'ttl_out_of_bounds', reason_admin: 'x' }, 'ttl_out_of_bounds'],
    ['reason_admin by code', { reason_admin: { '403': 'ttl above maximum' } }, 'ttl above maximum'],
    ['reason_admin before reason_user', { reason_user: 'ask', reason_admin: 'C076E82F' }, 'C076E82F'],
    ['English first', { reason_user: { de: 'nein', en: 'no' } }, 'no'],
    ['the first text that can be shown', { reason: 'nicht für dich', reason_user: { de: 'nein' } }, 'nein'],
    ['none for a number', { reason: 7 }, ''],
    ['none for a text that steers a terminal', { reason: '\u001b[2J' }, ''],
    ['none for a text without end', { reason: 'x'.repeat(300) }, ''],
    ['none where there is none', {}, ''],
  ])('%s', (_name, context, reason) => {
    const json = { decision: false, context };
    expect(authzenDecision({ json, header: () => null }, REQUEST_ID)).toMatchObject({ effect: 'deny', reason });
  });
});

describe('readiness', () => {
  const self = (server: { port: number }, path = '') => ({
    policy_decision_point: `http://127.0.0.1:${server.port}${path}`,
  });

  test.each([
    ['the identifier that was configured', '', (s: { port: number }) => self(s), null],
    ['the identifier with a slash at its end', '', (s: { port: number }) => self(s, '/'), null],
    ['an identifier with a base path', '/pdp', (s: { port: number }) => self(s, '/pdp'), null],
    ['another host', '', () => ({ policy_decision_point: 'https://pdp.example' }), 'untrusted'],
    [
      'another spelling of the same host',
      '',
      (s: { port: number }) => ({ policy_decision_point: `http://localhost:${s.port}` }),
      'untrusted',
    ],
    ['another tenant of the same host', '/pdp', (s: { port: number }) => self(s, '/other'), 'untrusted'],
    [
      'an endpoint of another origin',
      '',
      (s: { port: number }) => ({ ...self(s), access_evaluation_endpoint: 'http://192.0.2.1/x' }),
      'untrusted',
    ],
    [
      'an endpoint that is no URL',
      '',
      (s: { port: number }) => ({ ...self(s), access_evaluation_endpoint: '/x' }),
      'untrusted',
    ],
    ['no identifier', '', () => ({}), 'answer'],
    ['no object', '', () => 'yes', 'answer'],
  ])('metadata with %s', async (_name, basePath, metadata, fault) => {
    const server = await serve(metadata);
    const ready = point(`http://127.0.0.1:${server.port}${basePath}`).ready();
    if (fault === null) await expect(ready).resolves.toBeUndefined();
    else await expect(ready).rejects.toMatchObject({ name: 'PolicyFault', kind: fault });
    expect(server.requests[0]).toMatchObject({ method: 'GET', path: `/.well-known/authzen-configuration${basePath}` });
  });

  test('the evaluation endpoint of the metadata is used from then on', async () => {
    const server = await serve((s) => ({
      ...self(s),
      access_evaluation_endpoint: `http://127.0.0.1:${s.port}/tenants/a/evaluate?v=1`,
    }));
    const made = point(`http://127.0.0.1:${server.port}`);
    await made.decide(QUESTION, ask);
    await made.ready();
    await made.decide(QUESTION, ask);
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/access/v1/evaluation',
      '/.well-known/authzen-configuration',
      '/tenants/a/evaluate?v=1',
    ]);
  });

  test('policy.health_path stands in for the metadata', async () => {
    const server = await serve(() => ({}));
    await point(`http://127.0.0.1:${server.port}/pdp`, '/_cerbos/health').ready();
    expect(server.requests.map(({ path }) => path)).toEqual(['/pdp/_cerbos/health']);
  });
});
