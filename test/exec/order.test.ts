import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import type { CommandStart } from '../../src/access/command-runner.ts';
import { CommandSlots } from '../../src/access/command-slots.ts';
import { keepLease } from '../../src/access/lease-keeper.ts';
import type { Route } from '../../src/access/route.ts';
import type { ReadRequest, SecretStore } from '../../src/access/secret-store.ts';
import type { Walked } from '../../src/access/walk.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { DayCounts } from '../../src/ledger/day-counts.ts';
import type { LedgerEntry } from '../../src/ledger/record.ts';
import type { RequestContext } from '../../src/operations/context.ts';
import type { ExecInput } from '../../src/operations/decide-exec.ts';
import { exec } from '../../src/operations/exec.ts';
import type { ExecEvent, ExecPeer } from '../../src/operations/exec-peer.ts';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import { goodSettings, inventoryOf } from '../config/support.ts';

const ROUTES = `version: 1
routes:
  - id: db
    owner: openbao
    lane: openbao-dynamic
    secret: { required_maturity: M2, data_class: confidential }
    location: { prod: { mount: database, path: creds/reader, fields: [username, word] } }
    exec_capable: true
    inject: [{ field: username, env: PGUSER }, { field: word, env: PGPASSWORD }]
    actors: [agt-m1, agt-m2]
    commands: [{ path: /usr/bin/psql, argv: ["**"], sha256: ${'a'.repeat(64)} }]
  - id: kv
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: m, path: p, fields: [v] } }
    exec_capable: true
    inject: [{ field: v, env: V }]
    actors: [agt-m2]
    allow_any_command: true
`;
const INVENTORY = `version: 1
actors:
  - { name: agt-m1, type: agt, principals: [p], maturity: M1, callers: [{ uid: 1000 }] }
  - { name: agt-m2, type: agt, principals: [p], maturity: M2, callers: [{ uid: 1000 }] }
`;

interface Parts {
  readonly deny?: string;
  readonly tier?: 'test' | 'prod';
  readonly ledgerFails?: boolean;
  /** A route that is refused at its very record. */
  readonly refusedLast?: string;
  readonly readFails?: string;
  readonly caller?: 'gone' | 'changed';
  readonly confined?: boolean;
  readonly digest?: string;
  /** The file behind the command, by the time that it has been started. */
  readonly replaced?: boolean;
  /** The descriptor of the copy that runs in its place. */
  readonly copy?: number;
  readonly startFails?: boolean;
  /** When the command itself ends, where that is before its output was taken. */
  readonly exits?: Promise<void>;
  readonly slots?: number;
  readonly lockedDown?: boolean;
}

/** A daemon's inside with fakes at its edges, and everything that reached them, in order. */
function stage(parts: Parts = {}) {
  const { tier = 'prod', digest = 'a'.repeat(64), slots = 8 } = parts;
  const events: string[] = [];
  const entries: LedgerEntry[] = [];
  const questions: PolicyQuestion[] = [];
  const values: Secret[] = [];
  const starts: CommandStart[] = [];
  const sent: ExecEvent[] = [];
  const closed: string[] = [];
  const store: SecretStore = {
    double: false,
    tier,
    async ready() {},
    async read({ lane, location, fields }: ReadRequest) {
      events.push(`read ${location.mount}`);
      if (parts.readFails === location.mount) throw new WardenError('owner_refused', 'no');
      const read = new Map(fields.map((field) => [field, Secret.fromString(`the value of ${field}`)]));
      values.push(...read.values());
      const leaseId = lane === 'openbao-dynamic' ? 'lease-1' : '';
      const evidence = { path: location.path, version: 0, requestId: 'r', tokenAccessor: 't', populatedKeys: 1 };
      return { fields: read, evidence: { ...evidence, leaseId, leaseSeconds: leaseId === '' ? 0 : 60 } };
    },
    async wrap() {
      throw new Error('nothing is wrapped for a command');
    },
    async renew() {
      return 60;
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
    settings: goodSettings(
      `version: 1\nposture: prod\nadmins: [{ uid: 0 }]\nopenbao: { tier: ${tier} }\npolicy: { enabled: true, gate: [exec] }\n`,
    ),
    actors: new Map(inventoryOf(INVENTORY).actors.map((actor) => [actor.name, actor])),
    hosts: [],
    routes: new Map(routes.map((route): [string, Route] => [route.id, route])),
    warnings: [],
    usesDigests: false,
  };
  const free = { namespaces: {}, noNewPrivs: false, seccomp: 0, capabilities: 0n, label: '' };
  const commandSlots = new CommandSlots(() => slots);
  const context = {
    requestId: 'request',
    trace: { traceId: '0'.repeat(32), spanId: '0'.repeat(16), sampled: false, state: '' },
    spans: null,
    connection: {
      caller: { uid: 1000, gid: 1000, groups: [], pid: 1, exe: '/x', exeFile: null, unit: null, userUnit: null },
      check: () => (events.some((event) => event.startsWith('read')) ? (parts.caller ?? 'alive') : 'alive'),
      exeSha256: async () => null,
      exeSha256Cached: () => null,
    },
    world: {
      snapshot,
      claims: null,
      lanes: {
        store,
        tools: {},
        confinement: {
          own: () => free,
          init: () => null,
          of: () => {
            events.push('confinement');
            return { ...free, noNewPrivs: parts.confined === true };
          },
        },
        commandFiles: {
          place: async (path: string) => path,
          pin: async () => ({
            sha256: digest,
            copy: parts.copy ?? null,
            unchanged: async () => parts.replaced !== true,
            close: () => closed.push('pinned'),
          }),
        },
        runner: {
          find: async ({ name }: { name: string }) => {
            events.push('find');
            if (name === 'nonesuch') throw new WardenError('command_not_found', 'no');
            return `/usr/bin/${name}`;
          },
          start: async (start: CommandStart) => {
            events.push('start');
            starts.push(start);
            if (parts.startFails === true) throw new WardenError('command_not_executable', 'no');
            const stdout = new PassThrough();
            const signalled: string[] = [];
            stdout.end('login the value of word\n');
            const ended = new Promise((resolve) => {
              stdout.once('close', () =>
                resolve(
                  signalled.includes('SIGKILL') ? { exitCode: null, signal: 'SIGKILL' } : { exitCode: 3, signal: null },
                ),
              );
            });
            return {
              pid: 7,
              stdin: new PassThrough(),
              stdout,
              stderr: new PassThrough().end(),
              resize() {},
              onStop() {},
              signal(name: string) {
                events.push(name);
                signalled.push(name);
                stdout.destroy();
              },
              exited: parts.exits ?? ended,
              ended,
            };
          },
        },
      },
      gate: {
        async decide(question: PolicyQuestion) {
          events.push(`gate ${question.resource.id}`);
          questions.push(question);
          const effect = parts.deny === question.resource.id ? 'deny' : 'allow';
          return { effect, id: 'decision:1', idSource: 'pdp', reason: 'because', expiresAt: null, cached: false };
        },
      },
    },
    services: {
      ledger: {
        async append(entry: LedgerEntry) {
          events.push(`ledger ${entry.kind}`);
          if (parts.refusedLast === entry.route) throw new WardenError('quota_exceeded', 'used up meanwhile');
          if (parts.ledgerFails === true) throw new WardenError('ledger_unavailable', 'the disk is full');
          entries.push(entry);
          return { seq: BigInt(entries.length), time: '' };
        },
        async appendRefusal(entry: LedgerEntry) {
          entries.push(entry);
          return { seq: BigInt(entries.length), time: '' };
        },
        argvHmac: (argv: readonly string[]) => `hmac of ${argv.length}`,
      },
      breakGlass: { current: () => null, countRelease: () => {} },
      facts: { daemonUid: 0, executables: { identify: () => null } },
      counters: { refusals: 0 },
      restraints: {
        lockdown: parts.lockedDown === true ? { since: 0 } : null,
        isRevokedActor: () => false,
        isRevokedKey: () => false,
      },
      clock: { now: () => 0, monotonic: () => 0 },
      timers: { after: () => () => {} },
      slots: commandSlots,
      quotas: new DayCounts({ now: () => 0, earlier: async function* () {} }),
      recorder: null,
      keepLease: () => () => events.push('kept no longer'),
    },
    signal: new AbortController().signal,
  } as unknown as RequestContext;
  const peer: ExecPeer = {
    async send(event) {
      sent.push(event);
      if (event.kind === 'ended') events.push('ended');
    },
    orders: (async function* () {})(),
    stopping: new AbortController().signal,
  };
  return { events, entries, questions, values, starts, sent, closed, context, peer, slots: commandSlots };
}

const input = (more: Partial<ExecInput> = {}): ExecInput => ({
  routes: ['db'],
  references: [],
  actor: 'agt-m2',
  argv: ['psql', '-c', 'select 1'],
  environment: [
    ['PATH', '/usr/bin'],
    ['BAO_TOKEN', 'x'],
  ],
  additions: [],
  pristine: false,
  noMask: false,
  noNetwork: false,
  jobControl: false,
  terminal: null,
  stdin: false,
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
  if (thrown instanceof WardenError && thrown.code === 'internal') throw thrown.cause;
  if (thrown instanceof WardenError) return thrown;
  throw new Error(`no WardenError: ${String(thrown)}`);
};
const zeros = (secret: Secret): boolean => secret.reveal().every((byte) => byte === 0);
const DB = 'secret-route:db';
const KV = 'secret-route:kv';

describe('an exec goes through its gate in order', () => {
  test('confinement, command, gate, owner, ledger, start; then lease and ledger before the end is told', async () => {
    const { events, entries, questions, values, starts, sent, context, peer, slots } = stage();
    const asked = input();
    await exec(asked, peer, context);
    expect(events).toEqual([
      ...['confinement', 'find', `gate ${DB}`, 'read database', 'ledger exec_start', 'start'],
      ...['kept no longer', 'release lease-1', 'ledger exec_end', 'ended'],
    ]);
    expect(questions[0]).toMatchObject({
      action: 'exec',
      resource: { id: DB, type: 'secret-route' },
      context: {
        env_posture: 'prod',
        workload_maturity: 'M2',
        required_maturity: 'M2',
        data_class: 'confidential',
        command: '/usr/bin/psql',
        reason: 'testing',
        ticket: 'T-1',
      },
    });
    expect(entries).toEqual([
      expect.objectContaining({
        kind: 'exec_start',
        outcome: 'ok',
        route: 'db',
        command: '/usr/bin/psql',
        argv_hmac: 'hmac of 3',
        policy_decision_id: 'decision:1',
        lease_id: 'lease-1',
        user_reason: 'testing',
        ticket: 'T-1',
      }),
      expect.objectContaining({ kind: 'exec_end', outcome: 'ok', route: 'db', exit_code: 3, bytes: 24 }),
    ]);
    expect([...(starts[0]?.env.keys() ?? [])]).toEqual(['PATH', 'PGUSER', 'PGPASSWORD']);
    const shown = sent.flatMap((event) => (event.kind === 'stdout' ? [Buffer.from(event.bytes).toString()] : []));
    expect(shown.join('')).toBe('login [masked:db]\n');
    expect(values.every(zeros) && asked.token !== null && zeros(asked.token)).toBe(true);
    expect(slots.running).toBe(0);
  });

  test('what was leased ends with the command, whoever takes its output when', async () => {
    let take: () => void = () => {};
    const taken = new Promise<void>((resolve) => {
      take = resolve;
    });
    const { events, context, peer } = stage({ exits: Promise.resolve() });
    const slow: ExecPeer = {
      ...peer,
      send: async (event) => {
        if (event.kind === 'stdout') await taken;
        await peer.send(event);
      },
    };
    const done = exec(input(), slow, context);
    await vi.waitUntil(() => events.includes('release lease-1'));
    expect(events.slice(-2)).toEqual(['kept no longer', 'release lease-1']);
    take();
    await done;
    expect(events.slice(-4)).toEqual(['kept no longer', 'release lease-1', 'ledger exec_end', 'ended']);
  });

  test('two routes: each is asked about and recorded by itself, and every one before the start', async () => {
    const { events, entries, context, peer } = stage();
    await exec(input({ routes: ['kv', 'db', 'kv'] }), peer, context);
    expect(events).toEqual([
      ...['confinement', 'find', `gate ${KV}`, `gate ${DB}`, 'read m', 'read database'],
      ...['ledger exec_start', 'ledger exec_start', 'start', 'kept no longer', 'kept no longer'],
      ...['release lease-1', 'ledger exec_end', 'ended'],
    ]);
    expect(entries.map(({ kind, route }) => [kind, route])).toEqual([
      ['exec_start', 'kv'],
      ['exec_start', 'db'],
      ['exec_end', 'kv,db'],
    ]);
  });

  test('two routes of which one is refused at its record: the start of the other has its end there, and nothing ran', async () => {
    const { starts, entries, context, peer } = stage({ refusedLast: 'db' });
    const error = await refusal(exec(input({ routes: ['kv', 'db'] }), peer, context));
    expect(error.code).toBe('quota_exceeded');
    expect(starts).toEqual([]);
    expect(entries.map(({ kind, outcome, route, reason }) => [kind, outcome, route, reason])).toEqual([
      ['exec_start', 'ok', 'kv', undefined],
      ['exec_end', 'refused', 'kv,db', 'quota_exceeded'],
    ]);
  });

  test.each<[string, Parts, Partial<ExecInput>, string, string, string[]]>([
    ['under a lockdown', { lockedDown: true }, {}, 'locked_down', 'db', []],
    [
      'for an actor that the route does not list',
      {},
      { routes: ['db', 'kv'], actor: 'agt-m1' },
      'route_not_allowed',
      'db,kv',
      [],
    ],
    ['for a caller in a sandbox', { confined: true }, {}, 'caller_confined', 'db', ['confinement']],
    ['for a command that is not there', {}, { argv: ['nonesuch'] }, 'command_not_found', 'db', ['confinement', 'find']],
    ['for a command that is not listed', {}, { argv: ['sh'] }, 'command_not_allowed', 'db', ['confinement', 'find']],
    [
      'for another file than the one pinned',
      { digest: 'b'.repeat(64) },
      {},
      'command_not_allowed',
      'db',
      ['confinement', 'find'],
    ],
    [
      'below the maturity that the secret needs',
      {},
      { actor: 'agt-m1' },
      'lattice_refused',
      'db',
      ['confinement', 'find'],
    ],
    ['across tiers', { tier: 'test' }, {}, 'tier_mismatch', 'db', ['confinement', 'find']],
    [
      'for a subject that is not allowed',
      {},
      { subject: 'somebody' },
      'unknown_subject',
      'db',
      ['confinement', 'find'],
    ],
    [
      'by the decision point, of the second route',
      { deny: DB },
      { routes: ['kv', 'db'] },
      'policy_denied',
      'db',
      ['confinement', 'find', `gate ${KV}`, `gate ${DB}`],
    ],
    ['with no slot left', { slots: 0 }, {}, 'exec_limited', 'db', ['confinement', 'find', `gate ${DB}`]],
    ['without a token', {}, { token: null }, 'token_missing', 'db', ['confinement', 'find', `gate ${DB}`]],
    [
      'by the owner of the second, and the lease of the first ends',
      { readFails: 'm' },
      { routes: ['db', 'kv'] },
      'owner_refused',
      'kv',
      ['confinement', 'find', `gate ${DB}`, `gate ${KV}`, 'read database', 'read m', 'release lease-1'],
    ],
    [
      'when the caller is gone meanwhile',
      { caller: 'gone' },
      {},
      'caller_gone',
      'db',
      ['confinement', 'find', `gate ${DB}`, 'read database', 'release lease-1'],
    ],
    [
      'when it runs another program meanwhile',
      { caller: 'changed' },
      {},
      'caller_changed',
      'db',
      ['confinement', 'find', `gate ${DB}`, 'read database', 'release lease-1'],
    ],
  ])('refused %s: nothing after that step happens', async (_name, parts, more, code, route, expected) => {
    const { events, entries, values, starts, context, peer, slots } = stage(parts);
    expect((await refusal(exec(input(more), peer, context))).code).toBe(code);
    expect(events).toEqual(expected);
    expect(entries).toEqual([expect.objectContaining({ kind: 'exec_start', reason: code, route })]);
    expect(starts).toEqual([]);
    expect(values.every(zeros)).toBe(true);
    expect(slots.running).toBe(0);
  });

  test('nothing starts whose record is not durable, and its lease ends', async () => {
    const { events, starts, values, context, peer } = stage({ ledgerFails: true });
    expect((await refusal(exec(input(), peer, context))).code).toBe('ledger_unavailable');
    expect(events.slice(-2)).toEqual(['ledger exec_start', 'release lease-1']);
    expect(starts).toEqual([]);
    expect(values.every(zeros)).toBe(true);
  });

  test.each<[string, Parts, string, string[]]>([
    ['could not be started', { startFails: true }, 'command_not_executable', ['start', 'release lease-1']],
    [
      'was replaced while it was started',
      { replaced: true },
      'command_not_allowed',
      ['start', 'SIGKILL', 'release lease-1'],
    ],
  ])('a command that %s has an end on record, and its lease ends', async (_name, parts, code, expected) => {
    const { events, entries, sent, context, peer } = stage(parts);
    expect((await refusal(exec(input(), peer, context))).code).toBe(code);
    expect(events.slice(events.indexOf('start'))).toEqual(expected);
    expect(entries.map(({ kind, outcome, reason }) => [kind, outcome, reason])).toEqual([
      ['exec_start', 'ok', undefined],
      ['exec_end', 'refused', code],
    ]);
    expect(sent).toEqual([]);
  });
});

describe('a lease under a running command', () => {
  const run = (renewals: (number | Error)[]) => {
    const waits: number[] = [];
    const failures: unknown[] = [];
    let next: (() => void) | null = null;
    const walked = {
      evidence: { leaseId: 'l', leaseSeconds: 100 },
      async renew() {
        const answer = renewals.shift();
        if (answer instanceof Error) throw answer;
        return answer ?? 0;
      },
    } as unknown as Walked;
    const stop = keepLease(walked, {
      timers: {
        after: (ms, then) => {
          waits.push(ms);
          next = then;
          return () => {
            next = null;
          };
        },
      },
      random: () => 0.5,
      onFailure: (error) => failures.push(error),
    });
    const tick = async (): Promise<void> => {
      const then = next;
      next = null;
      then?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { waits, failures, tick, stop, isWaiting: () => next !== null };
  };

  test('is renewed at some 70 % of its time, again and again', async () => {
    const { waits, tick } = run([100, 80]);
    await tick();
    await tick();
    expect(waits).toEqual([70_000, 70_000, 56_000]);
  });

  test('whose end its owner has set is left to it', async () => {
    const { waits, tick, isWaiting } = run([40]);
    await tick();
    expect({ waits, waiting: isWaiting() }).toEqual({ waits: [70_000], waiting: false });
  });

  test('that cannot be renewed is tried again with growing pauses, and told once', async () => {
    const { waits, failures, tick } = run([new Error('down'), new Error('down'), 100]);
    await tick();
    await tick();
    await tick();
    expect(waits).toEqual([70_000, 375, 750, 70_000]);
    expect(failures).toHaveLength(1);
  });

  test('is let go of with the command', () => {
    const { stop, isWaiting } = run([]);
    stop();
    expect(isWaiting()).toBe(false);
  });
});
