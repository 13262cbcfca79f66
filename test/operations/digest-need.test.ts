import { describe, expect, it } from 'vitest';
import type { Caller, Selector } from '../../src/callers/caller.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import type { Actor, Host } from '../../src/inventory/actor.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { authorisedActor } from '../../src/operations/authorised-actor.ts';
import type { RequestContext } from '../../src/operations/context.ts';
import { digestMatters } from '../../src/operations/digest-need.ts';
import { policySettings } from '../policy/support/settings.ts';

const SHA = 'a'.repeat(64);
const PROGRAM = { dev: 1n, ino: 7n };
const executables = { identify: (path: string) => (path === '/usr/bin/agent' ? PROGRAM : null) };

const caller: Caller = {
  uid: 1000,
  gid: 100,
  groups: [27],
  pid: 42,
  exe: '/usr/bin/agent',
  exeFile: PROGRAM,
  unit: 'agent.service',
  userUnit: null,
};

interface Parts {
  readonly actors?: readonly (readonly Selector[] | null)[];
  readonly admins?: readonly Selector[];
  readonly auditors?: readonly Selector[];
  readonly glass?: readonly Selector[];
  readonly host?: readonly Selector[];
}

function actor(name: string, callers: readonly Selector[] | null): Actor {
  return {
    name,
    type: 'agt',
    principals: [name],
    ttlSeconds: 3600,
    maxTtlSeconds: 3600,
    maturity: 'M0',
    tenant: 'tenant:platform',
    allowedSubjects: [name],
    callers,
    options: { sourceAddress: [], forceCommand: null, verifyRequired: false, extensions: [] },
    openbaoRole: null,
  } as unknown as Actor;
}

function snapshot({ actors = [], admins, auditors = [], glass = [], host = [] }: Parts): Snapshot {
  const hosts: Host[] = [
    { name: 'h', addresses: [], purpose: '', hostCertificate: { principals: [], ttlSeconds: 1, callers: host } },
  ];
  return {
    generation: 1,
    hash: '',
    loadedAt: 0,
    warnings: [],
    usesDigests: true,
    hosts,
    routes: new Map(),
    actors: new Map(actors.map((callers, n) => [`agt-${n}`, actor(`agt-${n}`, callers)])),
    settings: {
      posture: 'test',
      backend: 'local',
      ca: { key: '', next: null, retired: [] },
      ttlCeilingsSeconds: { adm: 1, agt: 1, atm: 1 },
      socket: { mode: 0o600, group: null },
      admins: admins ?? null,
      auditors,
      policy: policySettings('http://127.0.0.1:1', { breakGlass: { callers: glass, maxMs: 1 } }),
      limits: {
        perCallerRatePerSecond: 1,
        perCallerConcurrency: 1,
        connections: 1,
        execOutputBytesPerSecond: 1e9,
        execConcurrency: 1,
      },
      ledger: { rotateBytes: 1, checkpointEvery: 1 },
    },
  };
}

describe('the digest of a caller’s program matters', () => {
  const rows: readonly (readonly [string, boolean, Parts])[] = [
    ['where a selector of its uid wants one', true, { actors: [[{ uid: 1000, exeSha256: SHA }]] }],
    ['where a selector names nothing but a digest', true, { actors: [[{ exeSha256: SHA }]] }],
    ['where a selector of its unit wants one', true, { actors: [[{ unit: 'agent.service', exeSha256: SHA }]] }],
    ['where a selector of its group wants one', true, { actors: [[{ gid: 27, exeSha256: SHA }]] }],
    ['where a selector of its path wants one', true, { actors: [[{ exe: '/usr/bin/agent', exeSha256: SHA }]] }],
    ['for one of many', true, { actors: [[{ uid: 1, exeSha256: SHA }], null, [{ uid: 1000, exeSha256: SHA }]] }],
    ['for administrators', true, { admins: [{ uid: 1000, exeSha256: SHA }] }],
    ['for auditors', true, { auditors: [{ uid: 1000, exeSha256: SHA }] }],
    ['for the break-glass', true, { glass: [{ uid: 1000, exeSha256: SHA }] }],
    ['for a host certificate', true, { host: [{ uid: 1000, exeSha256: SHA }] }],
    ['not where the selector is of another uid', false, { actors: [[{ uid: 1001, exeSha256: SHA }]] }],
    ['not where another key fails', false, { actors: [[{ uid: 1000, unit: 'other.service', exeSha256: SHA }]] }],
    ['not where the path is another file', false, { actors: [[{ exe: '/usr/bin/other', exeSha256: SHA }]] }],
    ['not where its own selector wants none', false, { actors: [[{ uid: 1000 }], [{ uid: 1001, exeSha256: SHA }]] }],
    ['not where nothing wants one', false, { actors: [[{ uid: 1000 }], null] }],
  ];
  it.each(rows)('%s', (_name, expected, parts) => {
    expect(digestMatters(snapshot(parts), caller, executables)).toBe(expected);
  });

  it('not for a stand-in of the same number', () => {
    const stranger = { ...caller, uid: 65534, unmapped: { uid: true, gid: false } };
    const wanted = snapshot({ actors: [[{ uid: 65534, exeSha256: SHA }]] });
    expect(digestMatters(wanted, stranger, executables)).toBe(false);
  });

  it('not where the snapshot says that no selector has one', () => {
    const wanted = { ...snapshot({ actors: [[{ exeSha256: SHA }]] }), usesDigests: false };
    expect(digestMatters(wanted, caller, executables)).toBe(false);
  });

  it('by the selectors of a snapshot that has 10,000 of them, each told apart', () => {
    const actors = Array.from({ length: 10_000 }, (_, n) => [{ uid: 5_000 + n, exeSha256: SHA }]);
    const many = snapshot({ actors });
    expect(digestMatters(many, caller, executables)).toBe(false);
    expect(digestMatters(many, { ...caller, uid: 14_999 }, executables)).toBe(true);
  });
});

describe('a caller that matches nothing', () => {
  function context(parts: Parts, uid: number): { context: RequestContext; reads: () => number } {
    let reads = 0;
    const partial: unknown = {
      requestId: 'r',
      connection: {
        caller: { ...caller, uid },
        exeSha256: async () => {
          reads += 1;
          return SHA;
        },
      },
      world: { snapshot: snapshot(parts) },
      services: { facts: { daemonUid: 0, executables } },
    };
    return { context: partial as RequestContext, reads: () => reads };
  }
  const inventory: Parts = { actors: [[{ uid: 1000, exeSha256: SHA }], [{ uid: 1001 }]] };
  const refusal = (name: string, at: RequestContext) =>
    authorisedActor(name, at).then(
      () => null,
      (error: unknown) => error,
    );

  it.each([
    ['an actor that wants digests', 'agt-0'],
    ['an actor that wants none', 'agt-1'],
    ['an actor that does not exist', 'agt-9'],
  ])('is refused for %s without its program being read', async (_name, asked) => {
    const { context: at, reads } = context(inventory, 2000);
    const error = await refusal(asked, at);
    expect(error).toBeInstanceOf(WardenError);
    expect(error).toMatchObject({
      code: 'caller_not_allowed',
      message: 'this caller may not ask for that',
      hint: 'quote the ledger number to your administrator',
    });
    expect(reads()).toBe(0);
  });

  it.each([
    ['the actor that wants it', 'agt-0', null],
    ['an actor that wants none', 'agt-1', 'caller_not_allowed'],
    ['an actor that does not exist', 'agt-9', 'caller_not_allowed'],
  ])('has its program read for %s alike where a selector may be its own', async (_name, asked, code) => {
    const { context: at, reads } = context(inventory, 1000);
    const error = await refusal(asked, at);
    expect(error instanceof WardenError ? error.code : null).toBe(code);
    expect(reads()).toBeGreaterThan(0);
  });
});
