import { once } from 'node:events';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authzenBody, createAuthzen } from '../../src/policy/authzen.ts';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import type { HttpClient } from '../../src/policy/http-client.ts';
import { createSyntheticDecisionPoint } from '../../src/policy/synthetic-decision-point.ts';
import { type CerbosServer, startCerbos } from './cerbos-server.ts';
import { clientFor } from './http-settings.ts';
import { caseSets, question } from './questions.ts';

const [fixtures, production, tenants] = caseSets();
if (fixtures === undefined || production === undefined || tenants === undefined)
  throw new Error('a case set is missing');

/** Cerbos' word for its decision, which it sends as an output to who asks for its own metadata. */
async function askWithReason(client: HttpClient, asked: PolicyQuestion): Promise<{ effect: string; reason: unknown }> {
  const body = authzenBody({ ...asked, context: { ...asked.context, 'cerbos.includeMeta': true } });
  const { json } = await client.json({ method: 'POST', path: '/access/v1/evaluation', body });
  const answer = json as {
    decision: boolean;
    context: { 'cerbos.response': { results: { outputs?: { val: unknown }[] }[] } };
  };
  const reason = answer.context['cerbos.response'].results[0]?.outputs?.[0]?.val;
  return { effect: answer.decision ? 'allow' : 'deny', reason };
}

describe.each([fixtures, production, tenants])(
  'the rules for Cerbos give the same reasons: $title',
  ({ registry, cases }) => {
    let server: CerbosServer;
    let client: HttpClient;
    beforeAll(async () => {
      server = await startCerbos(registry);
      client = clientFor(server.url, false);
    });
    afterAll(async () => {
      await client?.close();
      await server?.close();
    });
    it.each(cases)('$name', async ({ question, expect: expected }) => {
      expect(await askWithReason(client, question)).toEqual(expected);
    });
  },
);

describe('Cerbos and the policy package agree', () => {
  let server: CerbosServer;
  let client: HttpClient;
  beforeAll(async () => {
    server = await startCerbos(tenants.registry);
    client = clientFor(server.url, false);
  });
  afterAll(async () => {
    await client?.close();
    await server?.close();
  });

  const among = (...values: string[]) => fc.constantFrom(...values);
  const among8h = fc.constantFrom(0, 1, 8 * 3600, 8 * 3600 + 1);
  const anyQuestion = fc
    .record({
      actor: among('agt-blue', 'agt-red', 'agt-none'),
      subject: among('agt-blue', 'agt-red', 'iam:both', 'stranger'),
      tenant: among('tenant:platform', 'tenant:red', 'tenant:none'),
      type: among('agt', 'agt', 'agt', 'adm'),
      principals: fc.uniqueArray(among('deploy', 'deploy', 'root'), { maxLength: 2 }),
      fingerprint: fc.option(among('SHA256:x', ''), { nil: undefined, freq: 8 }),
      // Whole seconds, as the gate sends them: below a microsecond the two count differently.
      ttl: fc.option(fc.oneof(fc.integer({ min: -3600, max: 9 * 3600 }), among8h), { nil: undefined, freq: 8 }),
    })
    .map(({ actor, subject, tenant, type, principals, fingerprint, ttl }) =>
      question({
        actor,
        subject,
        tenant,
        type,
        principal: '',
        context: { principals, pubkey_fingerprint: fingerprint, ttl_hours: ttl === undefined ? undefined : ttl / 3600 },
      }),
    );

  it('on effect and reason of any request', async () => {
    const ours = createSyntheticDecisionPoint(tenants.registry);
    await fc.assert(
      fc.asyncProperty(anyQuestion, async (asked) => {
        const { effect, reason } = await ours.decide(asked, { requestId: 'r' });
        expect(await askWithReason(client, asked)).toEqual({ effect, reason });
      }),
      { numRuns: 400 },
    );
  });
});

describe('discovery against a real Cerbos', () => {
  async function freePort(): Promise<number> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    return port;
  }

  it('takes the metadata of the server that was configured, or its health, and faults where there is none', async () => {
    const port = await freePort();
    const server = await startCerbos(production.registry, `127.0.0.1:${port}`);
    const right = createAuthzen(clientFor(`http://127.0.0.1:${port}`, false), { healthPath: null });
    const base = createAuthzen(clientFor(`http://127.0.0.1:${port}/other`, false), { healthPath: null });
    const byHealth = createAuthzen(clientFor(`http://127.0.0.1:${port}`, false), { healthPath: '/_cerbos/health' });
    try {
      await expect(right.ready()).resolves.toBeUndefined();
      await expect(byHealth.ready()).resolves.toBeUndefined();
      await expect(base.ready()).rejects.toMatchObject({ name: 'PolicyFault', kind: 'http_status', status: 404 });
      const asked = production.cases[0]?.question;
      if (asked === undefined) throw new Error('no case');
      expect(await right.decide(asked, { requestId: 'r' })).toMatchObject({
        effect: 'allow',
        id: 'r',
        idSource: 'pep',
      });
    } finally {
      for (const point of [right, base, byHealth]) await point.close();
      await server.close();
    }
  });
});
