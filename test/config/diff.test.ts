import { describe, expect, test } from 'vitest';
import type { Route } from '../../src/access/route.ts';
import { describeChanges, MAX_LINES } from '../../src/config/diff.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { goodSettings, inventoryOf, WARDEN } from './support.ts';

function snapshot(warden: string, inventory: string): Snapshot {
  const parsed = inventoryOf(inventory);
  if (parsed.problems.length > 0) throw new Error(JSON.stringify(parsed.problems));
  return {
    generation: 1,
    hash: '',
    loadedAt: 0,
    settings: goodSettings(warden),
    actors: new Map(parsed.actors.map((actor) => [actor.name, actor])),
    hosts: parsed.hosts,
    routes: new Map(),
    warnings: [],
    usesDigests: false,
  };
}

const actor = (fields: string): string =>
  `version: 1\nactors:\n  - { name: agt-x, type: agt, principals: [a, b], ${fields} }\n`;
const plain = actor('maturity: M0');

function changes(before: string, after: string, wardenBefore = WARDEN, wardenAfter = WARDEN) {
  return describeChanges(snapshot(wardenBefore, before), snapshot(wardenAfter, after));
}

describe('a reload says in words who gained and who lost what', () => {
  test.each([
    ['nothing', plain, plain, [], false],
    ['a new actor', 'version: 1\n', plain, ['agt-x: added with principals a, b'], true],
    ['a removed actor', plain, 'version: 1\n', ['agt-x: removed'], true],
    [
      'principals',
      plain,
      plain.replace('[a, b]', '[b, db-admin]'),
      ['agt-x: gained principal db-admin', 'agt-x: lost principal a'],
      true,
    ],
    ['principals in another order', plain, plain.replace('[a, b]', '[b, a]'), [], false],
    ['the maximum TTL', actor('max_ttl_hours: 12'), actor('max_ttl_hours: 24'), ['agt-x: maximum TTL 12h → 24h'], true],
    ['the default TTL', actor('ttl_hours: 1'), actor('ttl_hours: 0.5'), ['agt-x: default TTL 1h → 30m'], true],
    [
      'who may ask',
      actor('callers: [{ uid: 1, unit: foo.service }]'),
      actor('callers: [{ uid: 1000 }]'),
      ['agt-x: uid 1000 may ask', 'agt-x: uid 1 with unit foo.service no longer may ask'],
      false,
    ],
    [
      'callers where there were none',
      plain,
      actor('callers: [{ uid: 7 }]'),
      ["agt-x: the daemon's own uid as such no longer may ask", 'agt-x: uid 7 may ask'],
      false,
    ],
    [
      'no callers any more',
      actor('callers: [{ gid: 7 }]'),
      plain,
      ["agt-x: the daemon's own uid may ask", 'agt-x: gid 7 no longer may ask'],
      false,
    ],
    [
      'subjects',
      plain,
      actor('allowed_subjects: [agt-x, "iam:y"]'),
      ['agt-x: gained subject iam:y', 'agt-x: lost subject iam:agt-x'],
      true,
    ],
    ['the tenant', plain, actor('tenant: "tenant:other"'), ['agt-x: tenant tenant:platform → tenant:other'], true],
    ['the maturity', plain, actor('maturity: M2'), ['agt-x: maturity M0 → M2'], false],
    [
      'certificate options',
      plain,
      actor(
        'options: { source-address: 10.0.0.0/8, force-command: /bin/x, verify-required: true, extensions: [permit-pty] }',
      ),
      [
        'agt-x: gained extension permit-pty',
        'agt-x: source-address any → 10.0.0.0/8',
        'agt-x: force-command none → /bin/x',
        'agt-x: verify-required off → on',
      ],
      false,
    ],
    [
      'a host certificate',
      'version: 1\nhosts: [{ name: h }]\n',
      'version: 1\nhosts: [{ name: h, host_certificate: { principals: [h.net], callers: [{ uid: 0 }] } }]\n',
      ['host h: may have a host certificate', 'host h: gained certificate principal h.net', 'host h: uid 0 may ask'],
      false,
    ],
    [
      'hosts',
      'version: 1\nhosts: [{ name: h }]\n',
      'version: 1\nhosts: [{ name: i }]\n',
      ['host h: removed', 'host i: added'],
      false,
    ],
  ] as const)('%s', (_name, before, after, lines, registryHandOverDue) => {
    expect(changes(before, after)).toEqual({ lines, registryHandOverDue });
  });

  test.each([
    [
      'the gate',
      '',
      'policy: { enabled: true, fail_closed: false }\n',
      ['policy gate: off → on', 'policy fail_closed: on → off'],
    ],
    [
      'what a collector gets',
      'telemetry: { otlp: "http://127.0.0.1:4318" }\n',
      'telemetry: { otlp: "http://127.0.0.1:4318", logs: false, bearer_file: /run/token }\n',
      [
        'telemetry http://127.0.0.1:4318 with no token (logs on, traces on) → ' +
          'http://127.0.0.1:4318 with the token in /run/token (logs off, traces on)',
      ],
    ],
    ['what the gate covers', '', 'policy: { gate: [sign, exec] }\n', ['policy: gained gated action exec']],
    [
      'who answers',
      '',
      'policy: { flex_auth_url: "unix:///run/x", auth: { peer_uid: 5 } }\n',
      ['policy decision point: http://127.0.0.1:8080 → unix:///run/x', 'policy auth: changed'],
    ],
    [
      'the administrators',
      '',
      'admins: [{ gid: 4 }]\n',
      ["admins: the daemon's own uid as such no longer may administer", 'admins: gid 4 may administer'],
    ],
    ['the auditors', 'auditors: [{ uid: 1 }]\n', '', ['auditors: uid 1 no longer may read the ledger']],
    [
      'who may break the glass',
      '',
      'policy: { break_glass: { callers: [{ uid: 0 }], max: 2h } }\n',
      ['uid 0 may open the break-glass', 'break-glass maximum 1h → 2h'],
    ],
    [
      'the CA key',
      '',
      'ca: { key: other, next: "credential:n", retired: [old] }\n',
      [
        'CA key /etc/warden/ca_ed25519 → /etc/warden/other',
        'next CA key none → credential:n',
        'ca: gained retired CA key /etc/warden/old',
      ],
    ],
    [
      'limits',
      '',
      'limits: { connections: 2 }\nledger: { checkpoint_every: 5 }\n',
      ['limits connections: 1024 → 2', 'ledger checkpointEvery: 1000 → 5'],
    ],
  ] as const)('in warden.yaml: %s', (_name, before, after, lines) => {
    expect(changes('version: 1\n', 'version: 1\n', WARDEN + before, WARDEN + after)).toEqual({
      lines,
      registryHandOverDue: false,
    });
  });

  test('a ceiling moves the actors that stand on it', () => {
    expect(
      describeChanges(snapshot(WARDEN, plain), { ...snapshot(`${WARDEN}ttl_ceilings_hours: { agt: 12 }\n`, plain) })
        .lines,
    ).toEqual(['TTL ceiling of agt 24h → 12h']);
  });

  const ROUTE: Route = {
    id: 'npm-publish',
    title: '',
    owner: 'openbao',
    lane: 'openbao-kv',
    as: 'caller',
    secret: { requiredMaturity: 'M1', dataClass: 'internal' },
    location: {},
    tool: null,
    fetchCapable: true,
    execCapable: false,
    inject: [],
    actors: ['agt-x', 'agt-y'],
    commands: null,
    allowAnyCommand: false,
    allowUnmasked: false,
    allowConfinedCaller: false,
    pristine: false,
    units: [],
    maxDurationMs: 1_800_000,
  };
  const SIGN_ONLY = `${WARDEN}policy: { enabled: true }\n`;
  const ALL = `${WARDEN}policy: { enabled: true, gate: [sign, fetch] }\n`;

  test.each<[string, string, Partial<Route> | null, string, Partial<Route> | null, boolean]>([
    ['a new route', ALL, null, ALL, {}, true],
    ['a removed route', ALL, {}, ALL, null, true],
    ['a route for one more actor', ALL, {}, ALL, { actors: ['agt-x', 'agt-y', 'agt-z'] }, true],
    ['a route for the same actors in another order', ALL, {}, ALL, { actors: ['agt-y', 'agt-x'] }, false],
    ['a route of another class', ALL, {}, ALL, { secret: { requiredMaturity: 'M1', dataClass: 'restricted' } }, true],
    ['a route that can be used by commands, too', ALL, {}, ALL, { execCapable: true }, true],
    ['a route whose place moved, which no registry holds', ALL, {}, ALL, { title: 'elsewhere' }, false],
    ['a gate that begins to ask about routes', SIGN_ONLY, {}, ALL, {}, true],
    ['a gate that begins to ask about no routes', SIGN_ONLY, null, ALL, null, false],
    ['a gate that does not ask any more', ALL, {}, SIGN_ONLY, {}, false],
    ['a new route that the gate is not asked about', SIGN_ONLY, null, SIGN_ONLY, {}, false],
  ])('%s: the registry is due or not', (_name, wardenBefore, before, wardenAfter, after, due) => {
    const withRoute = (warden: string, route: Partial<Route> | null): Snapshot => ({
      ...snapshot(warden, plain),
      routes: new Map(route === null ? [] : [[ROUTE.id, { ...ROUTE, ...route }]]),
    });
    const told = describeChanges(withRoute(wardenBefore, before), withRoute(wardenAfter, after));
    expect(told.registryHandOverDue).toBe(due);
  });

  test('the first state is counted', () => {
    expect(describeChanges(null, snapshot(WARDEN, plain))).toEqual({
      lines: ['first state: 1 actors, 0 hosts'],
      registryHandOverDue: false,
    });
  });

  test('10,000 changes are a hundred lines and a number', () => {
    const many = (principal: string): string =>
      `version: 1\nactors:\n${Array.from({ length: 10_000 }, (_, index) => `  - { name: agt-${index}, type: agt, principals: [${principal}] }\n`).join('')}`;
    const { lines, registryHandOverDue } = changes(many('a'), many('b'));
    expect(lines).toHaveLength(MAX_LINES + 1);
    expect(lines.at(-1)).toBe('and 9950 more changes');
    expect(registryHandOverDue).toBe(true);
  });
});
