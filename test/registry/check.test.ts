import { describe, expect, it } from 'vitest';
import type { Actor } from '../../src/inventory/actor.ts';
import { checkRegistryFile } from '../../src/registry/check.ts';
import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { anActor, PLATFORM } from './read-inventory.ts';

const a = anActor('agt-a', { principals: ['deploy', 'read'] });
const b = anActor('agt-b');
const registered = formatRegistry(buildRegistry({ ...PLATFORM, actors: [a, b] }));
const check = (actors: Actor[], over: object = {}, content = registered) =>
  checkRegistryFile(content, { ...PLATFORM, actors, ...over });
const words = (report: ReturnType<typeof check>) => report.findings.map((finding) => [finding.rule, finding.message]);

describe('warden registry check', () => {
  it('conforms where the registry says what the inventory says', () => {
    expect(check([b, a])).toEqual({ exit: 0, findings: [] });
    expect(check([b, { ...a, principals: ['read', 'deploy'] }])).toEqual({ exit: 0, findings: [] });
  });

  it.each<[string, Actor[], object, [string, string][]]>([
    [
      'an actor that was not handed over',
      [a, b, anActor('agt-new')],
      {},
      [
        ['registry_actor_missing', 'actor agt-new is in the inventory and not in the registry'],
        ['registry_subject_missing', 'subject agt-new (agt, tenant:platform) is not in the registry'],
        ['registry_subject_missing', 'subject iam:agt-new (agt, tenant:platform) is not in the registry'],
      ],
    ],
    [
      'an actor that is gone',
      [a],
      {},
      [
        ['registry_actor_extra', 'actor agt-b is in the registry and not in the inventory'],
        ['registry_subject_extra', 'subject agt-b (agt, tenant:platform) is in the registry, and no actor allows it'],
        [
          'registry_subject_extra',
          'subject iam:agt-b (agt, tenant:platform) is in the registry, and no actor allows it',
        ],
      ],
    ],
    [
      'other principals',
      [{ ...a, principals: ['deploy', 'write'] }, b],
      {},
      [
        [
          'registry_principals_differ',
          'actor agt-a: principals deploy, read in the registry, deploy, write in the inventory',
        ],
      ],
    ],
    [
      'another maximum',
      [{ ...a, maxTtlSeconds: 5400 }, b],
      {},
      [['registry_max_ttl_differs', 'actor agt-a: max_ttl_hours 8 in the registry, 1.5 in the inventory']],
    ],
    [
      'other subjects',
      [{ ...a, allowedSubjects: ['agt-a'] }, b],
      {},
      [
        [
          'registry_allowed_subjects_differ',
          'actor agt-a: allowed_subjects agt-a, iam:agt-a in the registry, agt-a in the inventory',
        ],
        [
          'registry_subject_extra',
          'subject iam:agt-a (agt, tenant:platform) is in the registry, and no actor allows it',
        ],
      ],
    ],
    [
      'another tenant of one actor',
      [{ ...a, tenant: 'tenant:red', allowedSubjects: ['agt-a', 'iam:agt-a'] }, b],
      {},
      [
        [
          'registry_actor_tenant_differs',
          'actor agt-a: tenant tenant:platform in the registry, tenant:red in the inventory',
        ],
        ['registry_subject_missing', 'subject agt-a (agt, tenant:red) is not in the registry'],
        ['registry_subject_missing', 'subject iam:agt-a (agt, tenant:red) is not in the registry'],
        ['registry_subject_extra', 'subject agt-a (agt, tenant:platform) is in the registry, and no actor allows it'],
        [
          'registry_subject_extra',
          'subject iam:agt-a (agt, tenant:platform) is in the registry, and no actor allows it',
        ],
      ],
    ],
    [
      'another system',
      [a, b],
      { system: 'other' },
      [['registry_system_differs', 'the registry is for system ops-warden, warden.yaml says other']],
    ],
  ])('finds %s', (_name, actors, over, expected) => {
    const report = check(actors, over);
    expect(report.exit).toBe(1);
    expect(words(report)).toEqual(expected);
  });

  it('finds another type', () => {
    expect(words(check([{ ...a, type: 'adm' }, b]))).toContainEqual([
      'registry_type_differs',
      'actor agt-a: type agt in the registry, adm in the inventory',
    ]);
  });

  it.each([
    ['CRLF', registered.replaceAll('\n', '\r\n')],
    ['no newline at the end', registered.trimEnd()],
    ['another indentation', `${JSON.stringify(JSON.parse(registered), null, 4)}\n`],
  ])('finds bytes that the builder would not write: %s', (_name, content) => {
    expect(check([a, b], {}, content)).toMatchObject({
      exit: 1,
      findings: [{ severity: 'warning', rule: 'registry_not_canonical' }],
    });
  });

  it('cannot use what is no registry, and says why', () => {
    expect(check([a], {}, '[]')).toEqual({
      exit: 2,
      findings: [
        {
          severity: 'error',
          rule: 'registry_unusable',
          about: '',
          message: 'the registry does not hold: the whole: invalid input: expected object, received array',
          mend: 'build it again: warden registry build',
        },
      ],
    });
  });
});
