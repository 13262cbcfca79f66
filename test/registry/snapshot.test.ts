import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRegistry } from '../../src/registry/parse.ts';
import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { anActor, PLATFORM } from './read-inventory.ts';

describe('buildRegistry', () => {
  it('gives the bytes of the contract', () => {
    const actors = [anActor('agt-state-hub-bridge', { principals: ['agt-task-bridge'], maxTtlSeconds: 86_400 })];
    expect(formatRegistry(buildRegistry({ ...PLATFORM, actors }))).toBe(
      [
        '{',
        '  "version": 1,',
        '  "tenant": "tenant:platform",',
        '  "system": "ops-warden",',
        '  "subjects": [',
        '    {',
        '      "id": "agt-state-hub-bridge",',
        '      "type": "agt"',
        '    },',
        '    {',
        '      "id": "iam:agt-state-hub-bridge",',
        '      "type": "agt"',
        '    }',
        '  ],',
        '  "resources": [',
        '    {',
        '      "id": "ssh-cert:actor/agt-state-hub-bridge",',
        '      "type": "ssh-certificate",',
        '      "attributes": {',
        '        "actor_type": "agt",',
        '        "principals": [',
        '          "agt-task-bridge"',
        '        ],',
        '        "max_ttl_hours": 24,',
        '        "allowed_subjects": [',
        '          "agt-state-hub-bridge",',
        '          "iam:agt-state-hub-bridge"',
        '        ]',
        '      }',
        '    }',
        '  ]',
        '}',
        '',
      ].join('\n'),
    );
  });

  it('names a tenant where it is not the own one, in resource and subjects', () => {
    const { subjects, resources } = buildRegistry({
      ...PLATFORM,
      actors: [anActor('agt-x', { tenant: 'tenant:red' })],
    });
    expect(subjects).toEqual([
      { id: 'agt-x', type: 'agt', tenant: 'tenant:red' },
      { id: 'iam:agt-x', type: 'agt', tenant: 'tenant:red' },
    ]);
    expect(Object.keys(resources[0] ?? {})).toEqual(['id', 'type', 'tenant', 'attributes']);
    expect(resources[0]?.tenant).toBe('tenant:red');
  });

  it('registers a subject of two actors once for each type and tenant', () => {
    const actors = [
      anActor('adm-a', { type: 'adm', allowedSubjects: ['iam:a'] }),
      anActor('agt-a', { allowedSubjects: ['iam:a'] }),
      anActor('agt-b', { allowedSubjects: ['iam:a'] }),
      anActor('agt-c', { allowedSubjects: ['iam:a'], tenant: 'tenant:red' }),
    ];
    expect(buildRegistry({ ...PLATFORM, actors }).subjects).toEqual([
      { id: 'iam:a', type: 'adm' },
      { id: 'iam:a', type: 'agt' },
      { id: 'iam:a', type: 'agt', tenant: 'tenant:red' },
    ]);
  });

  it('sorts by code unit, not by the locale of the machine', () => {
    const actors = ['agt-b', 'agt-a.z', 'agt-a-z', 'agt-a0'].map((name) =>
      anActor(name, { allowedSubjects: ['Z', 'a', '_'] }),
    );
    const { subjects, resources } = buildRegistry({ ...PLATFORM, actors });
    expect(subjects.map((entry) => entry.id)).toEqual(['Z', '_', 'a']);
    expect(resources.map((entry) => entry.id.slice(15))).toEqual(
      ['agt-a-z', 'agt-a.z', 'agt-a0', 'agt-b'].map((n) => n),
    );
  });

  const actorArb = fc
    .record({
      name: fc.stringMatching(/^(adm|agt|atm)-[a-z0-9]{1,6}$/),
      principals: fc.uniqueArray(fc.stringMatching(/^[!-+\--~]{1,8}$/), { minLength: 1, maxLength: 4 }),
      maxTtlSeconds: fc.integer({ min: 1, max: 8760 * 3600 }),
      tenant: fc.constantFrom('tenant:platform', 'tenant:red'),
      subjects: fc.uniqueArray(fc.stringMatching(/^[!-~]{1,12}$/), { minLength: 1, maxLength: 3 }),
    })
    .map(({ name, subjects, ...rest }) =>
      anActor(name, { ...rest, type: name.slice(0, 3) as 'adm', allowedSubjects: subjects }),
    );
  const inventory = fc.uniqueArray(actorArb, { maxLength: 8, selector: (actor) => actor.name });

  it('the same inventory in any order gives the same bytes, and they parse to what was built', () => {
    fc.assert(
      fc.property(
        inventory.chain((actors) =>
          fc.tuple(fc.constant(actors), fc.shuffledSubarray(actors, { minLength: actors.length })),
        ),
        ([actors, shuffled]) => {
          const built = buildRegistry({ ...PLATFORM, actors });
          const bytes = formatRegistry(built);
          expect(formatRegistry(buildRegistry({ ...PLATFORM, actors: shuffled }))).toBe(bytes);
          expect(parseRegistry(bytes)).toEqual(built);
          expect(formatRegistry(parseRegistry(bytes))).toBe(bytes);
        },
      ),
    );
  });
});

describe('parseRegistry refuses', () => {
  const good = JSON.parse(formatRegistry(buildRegistry({ ...PLATFORM, actors: [anActor('agt-a')] })));
  const [resource] = good.resources;
  const withResource = (over: object) => ({ ...good, resources: [{ ...resource, ...over }] });
  const withAttributes = (over: object) => withResource({ attributes: { ...resource.attributes, ...over } });
  it.each([
    ['what is not JSON', '{"version":1,"token":"s3cret', 'it is not JSON'],
    ['a list', [], 'the whole: invalid input: expected object, received array'],
    ['another version', { ...good, version: 2 }, 'version: invalid input: expected 1'],
    ['an unknown key', { ...good, extra: 1 }, 'the whole has an unknown key: extra'],
    [
      'a subject with an unknown key',
      { ...good, subjects: [{ id: 'a', type: 'agt', role: 'x' }] },
      'subjects[0] has an unknown key: role',
    ],
    [
      'a resource that is none',
      { ...good, resources: [null] },
      'resources[0]: invalid input: expected object, received null',
    ],
    [
      'a resource without principals',
      withAttributes({ principals: [] }),
      'resources[0].attributes.principals: too small: expected array to have >=1 items',
    ],
    [
      'a maximum of nothing',
      withAttributes({ max_ttl_hours: 0 }),
      'resources[0].attributes.max_ttl_hours: too small: expected number to be >0',
    ],
    ['an attribute too many', withAttributes({ owner: 'x' }), 'resources[0].attributes has an unknown key: owner'],
    [
      'a resource twice',
      { ...good, resources: [resource, resource] },
      'resources[1].id stands a second time: ssh-cert:actor/agt-a',
    ],
  ])('%s', (_name, value, what) => {
    const refuse = () => parseRegistry(typeof value === 'string' ? value : JSON.stringify(value));
    expect(refuse).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: `the registry does not hold: ${what}` }),
    );
  });

  it('but not a resource of another package', () => {
    const role = { id: 'database-role:app', type: 'database-role', attributes: { data_class: 'internal' } };
    expect(parseRegistry(JSON.stringify({ ...good, resources: [role] })).resources).toEqual([role]);
  });

  it('any text without a crash, and without quoting it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseRegistry(text)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
      }),
    );
  });
});
