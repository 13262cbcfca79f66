import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunningCommand } from '../../src/access/command-runner.ts';
import { CommandSlots } from '../../src/access/command-slots.ts';
import type { Route } from '../../src/access/route.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import type { Settings, Snapshot } from '../../src/config/snapshot.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { DayCounts } from '../../src/ledger/day-counts.ts';
import type { LedgerEntry } from '../../src/ledger/record.ts';
import type { RequestContext } from '../../src/operations/context.ts';
import { exec } from '../../src/operations/exec.ts';
import { explainExec } from '../../src/operations/explain-exec.ts';
import { explainFetch } from '../../src/operations/explain-fetch.ts';
import { explainSign } from '../../src/operations/explain-sign.ts';
import type { Explanation } from '../../src/operations/explaining.ts';
import { fetchSecret } from '../../src/operations/fetch.ts';
import { sign } from '../../src/operations/sign.ts';
import { PolicyFault } from '../../src/policy/decision-point.ts';
import { createGate } from '../../src/policy/gate.ts';
import type { CertificateAuthority } from '../../src/signing/certificate-authority.ts';
import { LocalAuthority } from '../../src/signing/local-authority.ts';
import { SerialSource } from '../../src/signing/serial.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { goodSettings, inventoryOf } from '../config/support.ts';
import { type TestKey, testKey } from '../support/ssh-keys.ts';

const ROUTES = `version: 1
routes:
  - { id: db, owner: openbao, lane: openbao-kv, secret: { required_maturity: M2, data_class: confidential }, location: { prod: { mount: m, path: p, fields: [user, word] } }, fetch_capable: true, exec_capable: true, inject: [{ field: user, env: A }, { field: word, env: B }], actors: [agt-m1, agt-m2], commands: [{ path: /usr/bin/psql, argv: ["**"] }] }
  - { id: kv, owner: openbao, lane: openbao-kv, as: daemon, secret: { required_maturity: M0, data_class: synthetic }, location: { prod: { mount: m, path: q, fields: [v] } }, fetch_capable: true, exec_capable: true, inject: [{ field: v, env: V }], actors: [agt-m2], allow_any_command: true }
  - { id: shut, owner: openbao, lane: openbao-kv, as: daemon, secret: { required_maturity: M0, data_class: synthetic }, location: { prod: { mount: m, path: r, fields: [v] } }, exec_capable: true, inject: [{ field: v, env: W }], actors: [agt-m1, agt-m2], allow_any_command: true }
`;
const INVENTORY = `version: 1
actors:
  - { name: agt-m1, type: agt, principals: [p], maturity: M1, max_ttl_hours: 2, ttl_hours: 1, callers: [{ uid: 1000 }], quota: { sign: 1/d, fetch: 1/d, exec: 1/d } }
  - { name: agt-m2, type: agt, principals: [p, q], maturity: M2, max_ttl_hours: 24, callers: [{ uid: 1000 }, { uid: 0 }] }
  - { name: agt-of-another, type: agt, principals: [p], callers: [{ uid: 4242 }] }
`;

let local: LocalAuthority;
let key: TestKey;
beforeAll(async () => {
  local = new LocalAuthority({ key: await generateKeyPair('ed25519', 'ca'), custody: 'memory' });
  key = await testKey('ssh-ed25519');
});

/** One in ten is each of the others: where much stands in the way, the first of it hides the rest. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  const rare = others.map((value) => ({ arbitrary: fc.constant(value), weight: 1 }));
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 10 - rare.length }, ...rare);
}

/** What can stand in the way, whatever is asked. */
const HOUSE = fc.record({
  uid: mostly(1000, 0, 7),
  gate: fc.constantFrom('off', 'not listed', 'allow', 'allow', 'deny', 'unreachable', 'unreachable, open'),
  tier: mostly('prod', 'test'),
  lockdown: mostly(false, true),
  revoked: mostly('', 'actor', 'key'),
  used: fc.constantFrom(0, 1),
  confined: mostly(false, true),
  backend: mostly('local' as const, 'openbao' as const),
});
type House = typeof HOUSE extends fc.Arbitrary<infer T> ? T : never;
const WHO = {
  actor: fc.oneof(fc.constantFrom('agt-m1', 'agt-m2'), mostly('agt-m1', 'agt-of-another', 'nobody')),
  subject: mostly('', 'agent:stranger'),
};
const TOKEN = mostly<string | null>('hvs.one', null);

const inventory = inventoryOf(INVENTORY);
const catalogue = parseRoutes({ file: 'routes.yaml', bytes: new TextEncoder().encode(ROUTES) }, { posture: 'prod' });
const ACTORS = new Map(inventory.actors.map((actor) => [actor.name, actor]));
const CATALOGUE = new Map(catalogue.routes.map((route): [string, Route] => [route.id, route]));
const parsed = new Map<string, Settings>();

/** Each text is parsed once. */
function settingsOf(gate: string, house: House): Settings {
  const text = `version: 1
posture: prod
admins: [{ uid: 0 }]
openbao: { tier: ${house.tier} }
policy: { enabled: ${house.gate !== 'off'}, gate: [${gate}], fail_closed: ${house.gate !== 'unreachable, open'} }
`;
  const settings = parsed.get(text) ?? goodSettings(text);
  parsed.set(text, settings);
  return settings;
}

test('the files of this test have no problems', () => {
  expect([...inventory.problems, ...catalogue.problems]).toEqual([]);
});

/** A daemon's inside with fakes at its edges. Every call makes the same one anew. */
function contextOf(house: House): { context: RequestContext; entries: LedgerEntry[] } {
  const entries: LedgerEntry[] = [];
  const list = house.gate === 'not listed' ? [] : ['sign', 'fetch', 'exec'];
  const settings = settingsOf(list.join(), house);
  const snapshot: Snapshot = {
    ...{ generation: 1, hash: '', loadedAt: 0, settings, hosts: [], warnings: [], usesDigests: false },
    ...{ actors: ACTORS, routes: CATALOGUE },
  };
  const gate = createGate(settings.policy, {
    acceptDoubles: false,
    point: {
      double: false,
      async decide() {
        if (house.gate.startsWith('unreachable')) throw new PolicyFault('unreachable', 'nobody answers');
        const effect = house.gate === 'deny' ? 'deny' : 'allow';
        return { effect, id: 'decision:1', idSource: 'pdp', reason: 'because', expiresAt: null, cached: false };
      },
      async ready() {},
      async close() {},
    },
  });
  const quotas = new DayCounts({ now: () => 0, earlier: async function* () {} });
  for (const kind of ['sign', 'fetch', 'exec'] as const) if (house.used > 0) quotas.take('agt-m1', kind, null);
  const authority: CertificateAuthority = {
    ...{ backend: house.backend, takesSerial: true, signsInProcess: true },
    keys: () => local.keys(),
    certify: (plan, about) => local.certify(plan, about),
    ready: () => local.ready(),
    close: async () => {},
  };
  const append = async (entry: LedgerEntry) => ({ seq: BigInt(entries.push(entry)), time: '' });
  const free = { namespaces: {}, noNewPrivs: false, seccomp: 0, capabilities: 0n, label: '' };
  const context = {
    requestId: 'request',
    trace: { traceId: '0'.repeat(32), parentId: null, spanId: '0'.repeat(16), sampled: false, state: '' },
    spans: null,
    connection: {
      caller: { uid: house.uid, gid: 1, groups: [], pid: 1, exe: '/x', exeFile: null, unit: null, userUnit: null },
      check: () => 'alive',
      exeSha256: async () => null,
      exeSha256Cached: () => null,
    },
    world: {
      snapshot,
      authority,
      claims: null,
      gate: settings.policy.enabled ? gate : null,
      lanes: {
        store: {
          double: false,
          tier: house.tier,
          read: async ({ fields }: { fields: readonly string[] }) => ({
            fields: new Map(fields.map((field) => [field, Secret.fromString(`the value of ${field}`)])),
            evidence: { path: 'p', version: 1, requestId: 'r', tokenAccessor: 't', leaseId: '', populatedKeys: 1 },
          }),
        },
        confinement: { own: () => free, init: () => null, of: () => ({ ...free, noNewPrivs: house.confined }) },
        commandFiles: { place: async (path: string) => path },
        runner: {
          find: async ({ name }: { name: string }) => {
            if (name === 'nonesuch') throw new WardenError('command_not_found', 'no');
            return `/usr/bin/${name}`;
          },
          start: async (): Promise<RunningCommand> => {
            const [stdout, stderr] = [new PassThrough().end(), new PassThrough().end()];
            const ended = Promise.resolve({ exitCode: 0, signal: null });
            const deaf = { resize() {}, onStop() {}, signal() {} };
            return { pid: 7, stdin: new PassThrough(), stdout, stderr, exited: ended, ended, ...deaf };
          },
        },
      },
    },
    services: {
      clock: systemClock,
      serials: new SerialSource({ clock: systemClock, lastUsed: 0n }),
      ledger: { append, appendRefusal: append, argvHmac: () => 'hmac' },
      breakGlass: { current: () => null, countRelease: () => {} },
      facts: { daemonUid: 0, executables: { identify: () => null } },
      counters: { refusals: 0, certificatesIssued: 0 },
      restraints: {
        lockdown: house.lockdown ? { since: 0, reason: '' } : null,
        isRevokedActor: () => house.revoked === 'actor',
        isRevokedKey: () => house.revoked === 'key',
      },
      timers: { after: () => () => {} },
      slots: new CommandSlots(() => 8),
      quotas,
      recorder: null,
      keepLease: () => () => {},
    },
    signal: new AbortController().signal,
  } as unknown as RequestContext;
  return { context, entries };
}

type Run = (context: RequestContext) => Promise<unknown>;
type Explain = (ask: boolean, context: RequestContext) => Promise<Explanation>;

/** How it ended: a code with what it was said with, or that it did. */
async function really(run: Run, house: House): Promise<{ code: string; message: string }> {
  const thrown = await run(contextOf(house).context).then(
    () => null,
    (error: unknown) => error,
  );
  if (thrown === null) return { code: 'released', message: '' };
  if (thrown instanceof WardenError && thrown.code !== 'internal') return thrown;
  throw thrown;
}

async function expectAgreement(house: House, run: Run, explain: Explain): Promise<string> {
  const { code, message } = await really(run, house);
  const asked = contextOf(house);
  const told = await explain(true, asked.context);
  expect({ code: told.error?.code ?? 'released', message: told.error?.message ?? '' }).toEqual({ code, message });
  expect(told.verdict).toBe(verdictOf(told, house));
  expect(told.steps.filter(({ outcome }) => outcome === 'failed')).toHaveLength(code === 'released' ? 0 : 1);
  for (const { kind, reason } of asked.entries) expect([kind, reason]).toEqual(['explain', told.error?.code]);
  expect(asked.entries.length).toBeGreaterThan(0);

  const silent = contextOf(house);
  const guess = await explain(false, silent.context);
  expect(silent.entries).toEqual([]);
  expect(guess.steps.map(({ name }) => name)).toEqual(told.steps.map(({ name }) => name));
  // Without asking, what the gate would say is all that may be left open.
  const open = guess.verdict === 'would_ask' || guess.steps.some(({ outcome }) => outcome === 'would_ask');
  if (!open) expect([guess.verdict, guess.error?.code]).toEqual([told.verdict, told.error?.code]);
  return code;
}

function verdictOf({ error, steps }: Explanation, { gate }: House): string {
  if (error !== null) return error.kind === 'unavailable' ? 'fault' : 'refused';
  return gate === 'unreachable, open' && steps.every(({ outcome }) => outcome !== 'failed') ? 'fault' : 'allowed';
}

/** Codes that the cases must have come by: an agreement over refusals of one kind would say little. */
const met = (codes: Set<string>, wanted: readonly string[]): void =>
  expect([...codes].sort()).toEqual(expect.arrayContaining([...wanted].sort()));
const RUNS = { numRuns: 1000, seed: 20 };

describe('what explain says is what happens', () => {
  test('to a sign', async () => {
    const ASKED = fc.record({
      ...WHO,
      publicKey: fc.constantFrom('good', 'good', 'good', 'bad'),
      principals: fc.constantFrom([], ['p'], ['q'], ['root']),
      ttlSeconds: fc.constantFrom(0, 60, 7 * 3600, 30 * 86_400),
      purpose: fc.constantFrom('sign' as const, 'issue' as const),
    });
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(HOUSE, ASKED, async (house, asked) => {
        const publicKey = asked.publicKey === 'good' ? key.line : 'ssh-ed25519 AAAA';
        const input = { ...asked, publicKey, idToken: '', reason: '', ticket: '', smokeId: '' };
        codes.add(
          await expectAgreement(
            house,
            (context) => sign(input, context),
            (ask, context) => explainSign(input, ask, context),
          ),
        );
      }),
      RUNS,
    );
    met(codes, [
      ...['released', 'public_key_malformed', 'caller_not_allowed', 'locked_down', 'actor_revoked', 'key_revoked'],
      ...['quota_exceeded', 'disallowed_principal', 'issue_unsupported', 'unknown_subject', 'policy_denied'],
      ...['policy_unavailable', 'ttl_out_of_bounds'],
    ]);
  });

  test('to a fetch', async () => {
    const ASKED = fc.record({
      ...WHO,
      route: fc.constantFrom('db', 'db', 'kv', 'shut', 'nonesuch'),
      fields: fc.constantFrom([], ['word'], ['other']),
      single: fc.boolean(),
      token: TOKEN,
    });
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(HOUSE, ASKED, async (house, asked) => {
        const input = () => ({
          ...asked,
          ...{ token: asked.token === null ? null : Secret.fromString(asked.token), wrapSeconds: 0 },
          ...{ idToken: '', reason: '', ticket: '' },
        });
        codes.add(
          await expectAgreement(
            house,
            (context) => fetchSecret(input(), context),
            (ask, context) => explainFetch(input(), ask, context),
          ),
        );
      }),
      RUNS,
    );
    met(codes, [
      ...['released', 'caller_not_allowed', 'locked_down', 'actor_revoked', 'quota_exceeded', 'route_not_allowed'],
      ...['route_unusable', 'invalid_request', 'lattice_refused', 'tier_mismatch', 'unknown_subject'],
      ...['policy_denied', 'policy_unavailable', 'token_missing'],
    ]);
  });

  test('to an exec', async () => {
    const ASKED = fc.record({
      ...WHO,
      routes: fc.constantFrom(['db'], ['kv'], ['db', 'kv'], ['shut', 'kv'], [], ['nonesuch']),
      command: fc.constantFrom('psql', 'psql', 'ls', 'nonesuch'),
      noMask: mostly(false, true),
      token: TOKEN,
    });
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(HOUSE, ASKED, async (house, { command, token, ...asked }) => {
        const input = () => ({
          ...asked,
          ...{ argv: [command], references: [], environment: [], additions: [], pristine: false, noNetwork: false },
          ...{ jobControl: false, terminal: null, stdin: false, idToken: '', reason: '', ticket: '' },
          token: token === null ? null : Secret.fromString(token),
        });
        const peer = {
          send: async () => {},
          orders: (async function* () {})(),
          stopping: new AbortController().signal,
        };
        codes.add(
          await expectAgreement(
            house,
            (context) => exec(input(), peer, context),
            (ask, context) => explainExec(input(), ask, context),
          ),
        );
      }),
      RUNS,
    );
    met(codes, [
      ...['released', 'caller_not_allowed', 'locked_down', 'actor_revoked', 'quota_exceeded', 'route_not_allowed'],
      ...['invalid_request', 'caller_confined', 'command_not_found', 'command_not_allowed', 'masking_required'],
      ...['lattice_refused', 'tier_mismatch', 'unknown_subject', 'policy_denied', 'policy_unavailable'],
      'token_missing',
    ]);
  });
});
