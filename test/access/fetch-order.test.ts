import { describe, expect, test } from 'vitest';
import type { Route } from '../../src/access/route.ts';
import type { ReadEvidence, ReadRequest, SecretStore } from '../../src/access/secret-store.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { traceOf } from '../../src/kernel/trace.ts';
import { DayCounts } from '../../src/ledger/day-counts.ts';
import type { LedgerEntry } from '../../src/ledger/record.ts';
import type { RequestContext } from '../../src/operations/context.ts';
import type { FetchInput } from '../../src/operations/decide-fetch.ts';
import { deliverCredential } from '../../src/operations/deliver-credential.ts';
import { fetchSecret } from '../../src/operations/fetch.ts';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import { toServiceDefinition } from '../../src/rpc/definition.ts';
import { toFetchResponse } from '../../src/rpc/encode.ts';
import { FetchResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { goodSettings, inventoryOf } from '../config/support.ts';

const ROUTES = `version: 1
routes:
  - id: db
    owner: openbao
    lane: openbao-dynamic
    secret: { required_maturity: M2, data_class: confidential }
    location: { prod: { mount: database, path: creds/reader, fields: [username, word] } }
    fetch_capable: true
    actors: [agt-m1, agt-m2]
  - { id: another, owner: openbao, lane: openbao-kv, secret: { required_maturity: M0, data_class: synthetic }, location: { prod: { mount: m, path: p, fields: [v] } }, fetch_capable: true, actors: [agt-m1] }
  - { id: of-a-unit, owner: openbao, lane: openbao-kv, as: daemon, secret: { required_maturity: M0, data_class: synthetic }, location: { prod: { mount: m, path: u, fields: [v] } }, fetch_capable: true, actors: [agt-m2], units: [{ unit: app.service, name: word, actor: agt-m2 }] }
`;
const INVENTORY = `version: 1
actors:
  - { name: agt-m1, type: agt, principals: [p], maturity: M1, callers: [{ uid: 1000 }] }
  - { name: agt-m2, type: agt, principals: [p], maturity: M2, callers: [{ uid: 1000 }] }
`;

interface Parts {
  readonly warden?: string;
  readonly double?: boolean;
  readonly tier?: 'dev' | 'test' | 'prod';
  readonly deny?: boolean;
  readonly ledgerFails?: boolean;
  /** What has become of the caller by the time that the owner has answered. */
  readonly caller?: 'gone' | 'changed';
  /** A lockdown, or a revocation of the actor, from the start or once the owner has answered. */
  readonly held?: { readonly how: 'lockdown' | 'actor'; readonly from: 'start' | 'read' };
}

/** A daemon's inside with fakes at its edges, and everything that reached them, in order. */
function stage(parts: Parts = {}) {
  const { warden = 'policy: { enabled: true, gate: [sign, fetch] }\n', double = false, tier = 'prod' } = parts;
  const events: string[] = [];
  const entries: LedgerEntry[] = [];
  const questions: PolicyQuestion[] = [];
  const values: Secret[] = [];
  const evidence: ReadEvidence = {
    path: 'database/creds/reader',
    version: 0,
    requestId: 'request-of-openbao',
    tokenAccessor: 'accessor',
    leaseId: 'database/creds/reader/lease-1',
    leaseSeconds: 3600,
    populatedKeys: 2,
  };
  const store: SecretStore = {
    double,
    tier,
    async ready() {},
    async read({ fields }: ReadRequest) {
      events.push('read');
      const read = new Map(fields.map((field) => [field, Secret.fromString(`value of ${field}`)]));
      values.push(...read.values());
      return { fields: read, evidence };
    },
    async wrap() {
      events.push('wrap');
      throw new WardenError('owner_refused', 'no wrapping here');
    },
    async renew() {
      throw new Error('nothing is renewed for a fetch');
    },
    async release(leaseId) {
      events.push(`release ${leaseId}`);
    },
  };
  const routes = parseRoutes(
    { file: 'routes.yaml', bytes: new TextEncoder().encode(ROUTES) },
    { posture: 'prod' },
  ).routes;
  const snapshot: Snapshot = {
    generation: 1,
    hash: '',
    loadedAt: 0,
    settings: goodSettings(`version: 1\nposture: prod\nadmins: [{ uid: 0 }]\nopenbao: { tier: ${tier} }\n${warden}`),
    actors: new Map(inventoryOf(INVENTORY).actors.map((actor) => [actor.name, actor])),
    hosts: [],
    routes: new Map(routes.map((route): [string, Route] => [route.id, route])),
    warnings: [],
    usesDigests: false,
  };
  const receipt = { seq: 7n, time: '' };
  const isHeld = (how: 'lockdown' | 'actor'): boolean =>
    parts.held?.how === how && (parts.held.from === 'start' || events.includes('read'));
  const context = (uid = 1000): RequestContext =>
    ({
      requestId: 'request',
      trace: traceOf(['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'], []),
      spans: null,
      connection: {
        caller: { uid, gid: 1000, groups: [], pid: 1, exe: '/x', exeFile: null, unit: null, userUnit: null },
        check: () => (events.includes('read') ? (parts.caller ?? 'alive') : 'alive'),
        exeSha256: async () => null,
        exeSha256Cached: () => null,
      },
      world: {
        snapshot,
        claims: null,
        lanes: { store, tools: {}, confinement: {} },
        gate: {
          async decide(question: PolicyQuestion) {
            events.push('gate');
            questions.push(question);
            const effect = parts.deny === true ? 'deny' : 'allow';
            return { effect, id: 'decision:1', idSource: 'pdp', reason: 'because', expiresAt: null, cached: false };
          },
        },
      },
      services: {
        quotas: new DayCounts({ now: () => 0, earlier: async function* () {} }),
        ledger: {
          async append(entry: LedgerEntry) {
            events.push('ledger');
            if (parts.ledgerFails === true) throw new WardenError('ledger_unavailable', 'the disk is full');
            entries.push(entry);
            return receipt;
          },
          async appendRefusal(entry: LedgerEntry) {
            events.push('refusal');
            entries.push(entry);
            return receipt;
          },
        },
        breakGlass: { current: () => null, countRelease: () => {} },
        facts: { daemonUid: 0, executables: { identify: () => null } },
        counters: { refusals: 0 },
        restraints: {
          get lockdown() {
            return isHeld('lockdown') ? { since: 0, reason: '' } : null;
          },
          isRevokedActor: () => isHeld('actor'),
          isRevokedKey: () => false,
        },
      },
      signal: new AbortController().signal,
    }) as unknown as RequestContext;
  return { events, entries, questions, values, context };
}

const input = (more: Partial<FetchInput> = {}): FetchInput => ({
  route: 'db',
  actor: 'agt-m2',
  fields: [],
  single: false,
  wrapSeconds: 0,
  token: Secret.fromString('hvs.of-the-caller'),
  subject: '',
  idToken: '',
  reason: 'testing',
  ticket: 'T-1',
  ...more,
});
const refusal = async (promise: Promise<unknown>): Promise<WardenError> => {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  if (thrown instanceof WardenError) return thrown;
  throw new Error(`no WardenError: ${String(thrown)}`);
};
const zeros = (secret: Secret): boolean => secret.reveal().every((byte) => byte === 0);

describe('a fetch goes through its gate in order', () => {
  test.each([
    ['has exited', 'gone', 'caller_gone'],
    ['runs another program', 'changed', 'caller_changed'],
  ] as const)(
    'a caller that %s while the owner answers gets nothing, and its lease ends',
    async (_how, caller, code) => {
      const { events, entries, values, context } = stage({ caller });
      expect((await refusal(fetchSecret(input(), context()))).code).toBe(code);
      expect(events).toEqual(['gate', 'read', 'release database/creds/reader/lease-1', 'refusal']);
      expect(entries).toEqual([expect.objectContaining({ kind: 'fetch', outcome: 'refused', reason: code })]);
      expect(values.every(zeros)).toBe(true);
    },
  );

  test('gate, then owner, then ledger, then release', async () => {
    const { events, entries, questions, context } = stage();
    const asked = input();
    const { walked } = await fetchSecret(asked, context());
    expect(events).toEqual(['gate', 'read', 'ledger']);
    expect([...walked.fields.keys()]).toEqual(['username', 'word']);
    expect(questions).toEqual([
      {
        subject: { id: 'agt-m2', type: 'agt', tenant: 'tenant:platform' },
        tenant: 'tenant:platform',
        resource: { id: 'secret-route:db', type: 'secret-route', system: 'ops-warden', tenant: 'tenant:platform' },
        action: 'fetch',
        context: {
          env_posture: 'prod',
          workload_maturity: 'M2',
          required_maturity: 'M2',
          data_class: 'confidential',
          reason: 'testing',
          ticket: 'T-1',
        },
      },
    ]);
    expect(entries).toEqual([
      {
        kind: 'fetch',
        outcome: 'ok',
        request_id: 'request',
        caller: { uid: 1000, gid: 1000, pid: 1, exe: '/x' },
        posture: 'prod',
        generation: 1,
        trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
        route: 'db',
        actor: 'agt-m2',
        user_reason: 'testing',
        ticket: 'T-1',
        actor_type: 'agt',
        tenant: 'tenant:platform',
        workload_maturity: 'M2',
        owner: 'openbao',
        required_maturity: 'M2',
        data_class: 'confidential',
        subject: 'agt-m2',
        policy_effect: 'allow',
        policy_cached: false,
        policy_id_source: 'pdp',
        policy_decision_id: 'decision:1',
        policy_reason: 'because',
        openbao_path: 'database/creds/reader',
        openbao_request_id: 'request-of-openbao',
        token_accessor: 'accessor',
        lease_id: 'database/creds/reader/lease-1',
        populated_key_count: 2,
      },
    ]);
    expect(asked.token !== null && zeros(asked.token)).toBe(true);
  });

  test('without fetch in policy.gate the record says that nobody was asked', async () => {
    const { events, entries, context } = stage({ warden: 'policy: { enabled: true, gate: [sign] }\n' });
    await fetchSecret(input(), context());
    expect(events).toEqual(['read', 'ledger']);
    expect(entries[0]).toMatchObject({ policy_effect: 'not_asked' });
  });

  test.each([
    ['a workload below the secret', {}, { actor: 'agt-m1' }, 'lattice_refused', ['refusal']],
    ['a store of another tier', { tier: 'test' } as const, {}, 'tier_mismatch', ['refusal']],
    ['a double in prod', { double: true, tier: 'dev' } as const, {}, 'tier_mismatch', ['refusal']],
    ['a deny of the decision point', { deny: true }, {}, 'policy_denied', ['gate', 'refusal']],
    ['a caller without a token', {}, { token: null }, 'token_missing', ['gate', 'refusal']],
    ['a subject that is not the actor’s', {}, { subject: 'iam:somebody' }, 'unknown_subject', ['refusal']],
  ])('%s: the owner is never asked', async (_what, parts, asked, code, reached) => {
    const { events, entries, context } = stage(parts);
    const error = await refusal(fetchSecret(input(asked), context()));
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ ledgerSeq: 7n, requestId: 'request' });
    expect(events).toEqual(reached);
    expect(entries).toMatchObject([{ kind: 'fetch', outcome: 'refused', reason: code, route: 'db' }]);
  });

  test('a refusal of the lattice says which clauses failed, what was needed and what was there', async () => {
    const error = await refusal(fetchSecret(input({ actor: 'agt-m1' }), stage().context()));
    expect(error.message).toBe(
      'the workload is M1, below the M2 that the secret requires; the workload is M1, below the M2 that the data class of the secret requires',
    );
    expect(error.hint).toContain('required_maturity M2 (has M1), data_class_floor M2 (has M1)');
    expect(error.hint).toContain('rises through the gate of its next level (warden policy)');
  });

  test('a ledger that cannot be written: nothing is released, values are overwritten, the lease is given back', async () => {
    const { events, values, context } = stage({ ledgerFails: true });
    const error = await refusal(fetchSecret(input(), context()));
    expect(error.code).toBe('ledger_unavailable');
    expect(events).toEqual(['gate', 'read', 'ledger', 'release database/creds/reader/lease-1']);
    expect(values.map(zeros)).toEqual([true, true]);
  });

  test('a wrapping that fails leaves no value and no lease', async () => {
    const { events, values, context } = stage();
    const error = await refusal(fetchSecret(input({ wrapSeconds: 60 }), context()));
    expect(error.code).toBe('owner_refused');
    expect(events).toEqual(['gate', 'read', 'wrap', 'release database/creds/reader/lease-1', 'refusal']);
    expect(values.map(zeros)).toEqual([true, true]);
  });
});

describe('a refusal does not tell what exists', () => {
  const shown = ({ code, message, hint, details }: WardenError) => ({ code, message, hint, seq: details.ledgerSeq });

  test('a route that is missing and one of another actor: the same bytes', async () => {
    const { entries, context } = stage();
    const missing = await refusal(fetchSecret(input({ route: 'no-such-route' }), context()));
    const others = await refusal(fetchSecret(input({ route: 'another' }), context()));
    expect(shown(missing)).toEqual(shown(others));
    expect(missing.code).toBe('route_not_allowed');
    expect(missing.details.privateDetail).toBe('no route no-such-route in the catalogue');
    expect(others.details.privateDetail).toBe('actors: of another does not list agt-m2');
    // The record of the one says no more than that of the other.
    expect(entries[0]).toEqual({ ...entries[1], route: 'no-such-route' });
  });

  test('an actor that is missing, one of somebody else, and no actor at all: the same bytes', async () => {
    const { context } = stage();
    const errors = await Promise.all(
      ['agt-m2', 'agt-none', ''].map((actor) => refusal(fetchSecret(input({ actor }), context(2000)))),
    );
    expect(new Set(errors.map((error) => JSON.stringify({ ...shown(error), seq: 0 })))).toHaveProperty('size', 1);
    expect(errors[0]?.code).toBe('caller_not_allowed');
  });
});

describe('nothing leaves by a fetch, nor as a credential of a unit,', () => {
  const ways: readonly [string, (context: RequestContext) => Promise<unknown>][] = [
    ['a fetch', (context) => fetchSecret(input(), context)],
    ['a credential', (context) => deliverCredential({ unit: 'app.service', name: 'word' }, context)],
  ];
  const restraints = [
    ['under a lockdown', 'lockdown', 'locked_down'],
    ['to a revoked actor', 'actor', 'actor_revoked'],
  ] as const;
  const cases = ways.flatMap(([way, ask]) => restraints.map((row) => [...row, way, ask] as const));

  test.each(cases)('%s: nobody is asked (%s, %s, %s)', async (_, how, code, __, ask) => {
    const { events, entries, values, context } = stage({ held: { how, from: 'start' } });
    expect((await refusal(ask(context()))).code).toBe(code);
    expect([events, values]).toEqual([['refusal'], []]);
    expect(entries).toEqual([expect.objectContaining({ kind: 'fetch', outcome: 'refused', reason: code })]);
  });

  test.each(cases)('%s that comes while the owner answers (%s, %s, %s)', async (_, how, code, __, ask) => {
    const { events, entries, values, context } = stage({ held: { how, from: 'read' } });
    expect((await refusal(ask(context()))).code).toBe(code);
    expect(events).not.toContain('ledger');
    expect(values.length).toBeGreaterThan(0);
    expect(values.every(zeros)).toBe(true);
    expect(entries).toEqual([expect.objectContaining({ outcome: 'refused', reason: code })]);
  });

  test('and without either both are released', async () => {
    for (const [, ask] of ways) {
      const { events, context } = stage();
      await ask(context());
      expect(events).toEqual(['gate', 'read', 'ledger']);
    }
  });
});

describe('values leave once', () => {
  test('they are in the bytes of the answer, and overwritten when it is encoded', async () => {
    const { values, context } = stage();
    const response = toFetchResponse(await fetchSecret(input(), context()), context());
    expect(values.some(zeros)).toBe(false);
    const { Fetch } = toServiceDefinition(WardenDefinition);
    const bytes = Fetch?.responseSerialize(response) ?? Buffer.alloc(0);
    expect(values.map(zeros)).toEqual([true, true]);
    const decoded = FetchResponse.decode(bytes);
    expect(decoded.fields.map(({ name, value }) => [name, Buffer.from(value).toString()])).toEqual([
      ['username', 'value of username'],
      ['word', 'value of word'],
    ]);
    expect(decoded.evidence).toMatchObject({ leaseId: 'database/creds/reader/lease-1', ledgerSeq: 7n, double: false });
  });
});
