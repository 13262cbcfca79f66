import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MATURITIES } from '../../src/kernel/posture.ts';
import { DATA_CLASSES } from '../../src/posture/data-class.ts';
import { checkRegistryFile } from '../../src/registry/check.ts';
import type { DriftInput } from '../../src/registry/drift.ts';
import { parseRegistry } from '../../src/registry/parse.ts';
import { buildRegistry, formatRegistry, type RegisteredRoute } from '../../src/registry/snapshot.ts';
import { anActor, PLATFORM } from './read-inventory.ts';

const actors = [anActor('agt-a'), anActor('agt-b')];
const npm: RegisteredRoute = {
  id: 'npm',
  owner: 'openbao',
  secret: { requiredMaturity: 'M1', dataClass: 'internal' },
  actors: ['agt-b', 'agt-a'],
  fetchCapable: true,
  execCapable: true,
};
const login: RegisteredRoute = { ...npm, id: 'login', owner: 'key-cape', actors: ['agt-a'], execCapable: false };
const build = (routes: readonly RegisteredRoute[]) => formatRegistry(buildRegistry({ ...PLATFORM, actors, routes }));
const plain = formatRegistry(buildRegistry({ ...PLATFORM, actors }));

describe('a registry with routes', () => {
  it('holds their names and classification, in the bytes of the contract', () => {
    const [, from = '', rest = ''] = /^([\s\S]*?"resources": \[\n)([\s\S]*)$/.exec(build([npm])) ?? [];
    expect(from).toBe(plain.slice(0, from.length));
    const entry = [
      '    {',
      '      "id": "secret-route:npm",',
      '      "type": "secret-route",',
      '      "attributes": {',
      '        "owner": "openbao",',
      '        "required_maturity": "M1",',
      '        "data_class": "internal",',
      '        "actors": [',
      '          "agt-a",',
      '          "agt-b"',
      '        ],',
      '        "actions": [',
      '          "fetch",',
      '          "exec"',
      '        ]',
      '      }',
      '    },',
      '',
    ].join('\n');
    expect(rest).toBe(entry + plain.slice(from.length));
  });

  it('has the bytes of before where there are no routes', () => {
    expect(build([])).toBe(plain);
  });

  it('offers what the route is capable of, which may be nothing', () => {
    const idle = { ...npm, fetchCapable: false, execCapable: false };
    const actions = [npm, login, { ...login, fetchCapable: false, execCapable: true }, idle].map(
      (route) => buildRegistry({ ...PLATFORM, actors: [], routes: [route] }).resources[0]?.attributes,
    );
    expect(actions).toMatchObject([
      { actions: ['fetch', 'exec'] },
      { actions: ['fetch'] },
      { actions: ['exec'] },
      { actions: [] },
    ]);
  });

  it('the same routes in any order give the same bytes, and they parse to what was built', () => {
    const routes = fc.uniqueArray(
      fc.record({
        id: fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/),
        owner: fc.constantFrom('openbao', 'key-cape'),
        secret: fc.record({
          requiredMaturity: fc.constantFrom(...MATURITIES),
          dataClass: fc.constantFrom(...DATA_CLASSES),
        }),
        actors: fc.shuffledSubarray(['agt-a', 'agt-b', 'agt-c']),
        fetchCapable: fc.boolean(),
        execCapable: fc.boolean(),
      }),
      { selector: ({ id }) => id, maxLength: 6 },
    );
    fc.assert(
      fc.property(routes, (some) => {
        const bytes = build(some);
        expect(build(some.toReversed().map((route) => ({ ...route, actors: route.actors.toReversed() })))).toBe(bytes);
        expect(formatRegistry(parseRegistry(bytes))).toBe(bytes);
        expect(checkRegistryFile(bytes, { ...PLATFORM, actors, routes: some })).toEqual({ exit: 0, findings: [] });
      }),
    );
  });
});

describe('a route in a registry file is refused with', () => {
  const good = JSON.parse(build([npm]));
  const [entry] = good.resources;
  it.each<[string, object, string]>([
    [
      'a maturity that there is not',
      { attributes: { ...entry.attributes, required_maturity: 'M4' } },
      'attributes.required_maturity: invalid option: expected one of "M0"|"M1"|"M2"|"M3"',
    ],
    [
      'a data class that there is not',
      { attributes: { ...entry.attributes, data_class: 'x' } },
      'attributes.data_class',
    ],
    ['another action', { attributes: { ...entry.attributes, actions: ['sign'] } }, 'attributes.actions[0]'],
    ['no actors', { attributes: { ...entry.attributes, actors: undefined } }, 'attributes.actors'],
    ['a place', { attributes: { ...entry.attributes, path: 'x' } }, 'attributes has an unknown key: path'],
    ['a tenant', { tenant: 'tenant:red' }, ' has an unknown key: tenant'],
  ])('%s', (_name, over, what) => {
    const content = JSON.stringify({ ...good, resources: [{ ...entry, ...over }] });
    expect(() => parseRegistry(content)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(what) }),
    );
  });
});

describe('warden registry check, with routes', () => {
  const check = (content: string, over: Partial<DriftInput>) => {
    const { exit, findings } = checkRegistryFile(content, { ...PLATFORM, actors, ...over });
    return [exit, ...findings.map(({ rule, about, message }) => [rule, about, message])];
  };

  it('has nothing against a registry without routes while the gate is not asked about them', () => {
    expect(check(plain, { routes: [npm] })).toEqual([0]);
  });
  it('leaves routes alone where there is no catalogue to hold them against', () => {
    expect(check(build([npm]), {})).toEqual([0]);
  });

  it.each<[string, string, Partial<DriftInput>, [string, string, string]]>([
    [
      'no routes at all, though the gate is asked about them',
      plain,
      { routes: [npm], routesDue: true },
      ['registry_route_missing', 'npm', 'route npm is in the catalogue and not in the registry'],
    ],
    [
      'a route that was not handed over',
      build([npm]),
      { routes: [npm, login] },
      ['registry_route_missing', 'login', 'route login is in the catalogue and not in the registry'],
    ],
    [
      'a route that is gone',
      build([npm, login]),
      { routes: [npm] },
      ['registry_route_extra', 'login', 'route login is in the registry and not in the catalogue'],
    ],
    [
      'another owner',
      build([npm]),
      { routes: [{ ...npm, owner: 'key-cape' }] },
      ['registry_route_owner_differs', 'npm', 'route npm: owner openbao in the registry, key-cape in the catalogue'],
    ],
    [
      'another maturity',
      build([npm]),
      { routes: [{ ...npm, secret: { ...npm.secret, requiredMaturity: 'M3' } }] },
      [
        'registry_route_required_maturity_differs',
        'npm',
        'route npm: required_maturity M1 in the registry, M3 in the catalogue',
      ],
    ],
    [
      'another data class',
      build([npm]),
      { routes: [{ ...npm, secret: { ...npm.secret, dataClass: 'restricted' } }] },
      [
        'registry_route_data_class_differs',
        'npm',
        'route npm: data_class internal in the registry, restricted in the catalogue',
      ],
    ],
    [
      'other actors',
      build([npm]),
      { routes: [{ ...npm, actors: ['agt-b'] }] },
      ['registry_route_actors_differ', 'npm', 'route npm: actors agt-a, agt-b in the registry, agt-b in the catalogue'],
    ],
    [
      'other actions',
      build([npm]),
      { routes: [{ ...npm, fetchCapable: false, execCapable: false }] },
      [
        'registry_route_actions_differ',
        'npm',
        'route npm: actions exec, fetch in the registry, (none) in the catalogue',
      ],
    ],
  ])('finds %s', (_name, content, over, finding) => {
    expect(check(content, over)).toEqual([1, finding]);
  });

  it('says how to mend it', () => {
    const { findings } = checkRegistryFile(build([npm]), { ...PLATFORM, actors, routes: [] });
    expect(findings.map(({ mend }) => mend)).toEqual(['hand the registry over again: warden registry build --routes']);
  });
});
