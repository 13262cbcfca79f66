import { readFileSync } from 'node:fs';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import type { RegistrySnapshot } from '../../src/policy/registry-snapshot.ts';
import { parseFixtures } from '../../src/registry/fixtures.ts';
import { parseRegistry } from '../../src/registry/parse.ts';
import { buildRegistry } from '../../src/registry/snapshot.ts';
import { anActor, examples, PLATFORM } from '../registry/read-inventory.ts';

export interface Case {
  readonly name: string;
  readonly question: PolicyQuestion;
  readonly expect: { readonly effect: 'allow' | 'deny'; readonly reason: string };
}

export interface CaseSet {
  readonly title: string;
  readonly registry: RegistrySnapshot;
  readonly cases: readonly Case[];
}

export const FINGERPRINT = 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU';
const ALLOWED = { effect: 'allow', reason: 'signing_policy_matched' } as const;
const denied = (reason: string) => ({ effect: 'deny', reason }) as const;

const read = (name: string): string => readFileSync(new URL(`flex-auth/${name}`, examples), 'utf8');

interface Asked {
  readonly actor: string;
  readonly principal: string;
  readonly subject?: string;
  readonly tenant?: string;
  readonly type?: string;
  readonly action?: PolicyQuestion['action'];
  /** Laid over the context; undefined takes a field away. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** The request that the gate builds for a sign, with what the case changes. */
export function question(asked: Asked): PolicyQuestion {
  const { actor, tenant = PLATFORM.tenant, type = actor.slice(0, 3) } = asked;
  const context = {
    principals: [asked.principal],
    actor_type: type,
    pubkey_fingerprint: FINGERPRINT,
    ttl_hours: 1.5,
    ...asked.context,
  };
  return {
    subject: { id: asked.subject ?? actor, type, tenant },
    tenant,
    resource: { id: `ssh-cert:actor/${actor}`, type: 'ssh-certificate', system: PLATFORM.system, tenant },
    action: asked.action ?? 'sign',
    context: Object.fromEntries(Object.entries(context).filter(([, value]) => value !== undefined)),
  };
}

const PRODUCTION = [
  { actor: 'adm-example', principal: 'adm-full', max: 48 },
  { actor: 'agt-codex-interhub-bootstrap', principal: 'agt-interhub-bootstrap', max: 2 },
  { actor: 'agt-state-hub-bridge', principal: 'agt-task-bridge', max: 24 },
  { actor: 'atm-backup-daily', principal: 'atm-backup-daily', max: 8 },
];
const bridge = { actor: 'agt-state-hub-bridge', principal: 'agt-task-bridge' };

function productionCases(): Case[] {
  const each = PRODUCTION.flatMap(({ max, ...asked }): Case[] => [
    { name: `${asked.actor} by its name`, question: question(asked), expect: ALLOWED },
    {
      name: `${asked.actor} by its iam: subject`,
      question: question({ ...asked, subject: `iam:${asked.actor}` }),
      expect: ALLOWED,
    },
    {
      name: `${asked.actor} for exactly its maximum`,
      question: question({ ...asked, context: { ttl_hours: max } }),
      expect: ALLOWED,
    },
    {
      name: `${asked.actor} for a second more than its maximum`,
      question: question({ ...asked, context: { ttl_hours: (max * 3600 + 1) / 3600 } }),
      expect: denied('ttl_out_of_bounds'),
    },
    {
      name: `${asked.actor} for 999 hours`,
      question: question({ ...asked, context: { ttl_hours: 999 } }),
      expect: denied('ttl_out_of_bounds'),
    },
  ]);
  return [
    ...each,
    {
      name: 'an actor that is not registered',
      question: question({ actor: 'agt-new', principal: 'x' }),
      expect: denied('unknown_actor_resource'),
    },
    {
      name: 'a registered actor as subject of another',
      question: question({ ...bridge, subject: 'adm-example' }),
      expect: denied('unknown_subject'),
    },
    {
      name: 'an iam: form that no one registered',
      question: question({ ...bridge, subject: 'iam:stranger' }),
      expect: denied('unknown_subject'),
    },
    {
      name: 'a subject in other letter case',
      question: question({ ...bridge, subject: 'IAM:agt-state-hub-bridge' }),
      expect: denied('unknown_subject'),
    },
    {
      name: 'a request in another tenant',
      question: question({ ...bridge, tenant: 'tenant:other' }),
      expect: denied('unknown_actor_resource'),
    },
    {
      name: 'another type than the registered',
      question: question({ ...bridge, type: 'adm' }),
      expect: denied('actor_type_mismatch'),
    },
    {
      name: 'no fingerprint',
      question: question({ ...bridge, context: { pubkey_fingerprint: undefined } }),
      expect: denied('missing_fingerprint'),
    },
    {
      name: 'an empty fingerprint',
      question: question({ ...bridge, context: { pubkey_fingerprint: '' } }),
      expect: denied('missing_fingerprint'),
    },
    {
      name: 'no principal',
      question: question({ ...bridge, context: { principals: [] } }),
      expect: denied('disallowed_principal'),
    },
    {
      name: 'principals left out',
      question: question({ ...bridge, context: { principals: undefined } }),
      expect: denied('disallowed_principal'),
    },
    {
      name: 'one principal beyond the registered',
      question: question({ ...bridge, context: { principals: ['agt-task-bridge', 'root'] } }),
      expect: denied('disallowed_principal'),
    },
    {
      name: 'a TTL of nothing',
      question: question({ ...bridge, context: { ttl_hours: 0 } }),
      expect: denied('ttl_out_of_bounds'),
    },
    {
      name: 'a TTL below nothing',
      question: question({ ...bridge, context: { ttl_hours: -1 } }),
      expect: denied('ttl_out_of_bounds'),
    },
    {
      name: 'a TTL left out',
      question: question({ ...bridge, context: { ttl_hours: undefined } }),
      expect: denied('ttl_out_of_bounds'),
    },
    {
      name: 'a TTL beyond all integers',
      question: question({ ...bridge, context: { ttl_hours: 1e300 } }),
      expect: denied('ttl_out_of_bounds'),
    },
    {
      name: 'a reason and a ticket beside it',
      question: question({ ...bridge, context: { reason: 'deploy', ticket: 'INC-7' } }),
      expect: ALLOWED,
    },
  ];
}

/** Each request is wrong in everything from one step on: the first that holds gives the reason. */
function orderCases(): Case[] {
  const late = { principals: [], ttl_hours: 999 };
  const nameless = { ...late, pubkey_fingerprint: undefined };
  return [
    {
      name: 'everything wrong: the resource comes first',
      question: question({ actor: 'agt-new', principal: '', subject: 'stranger', type: 'adm', context: nameless }),
      expect: denied('unknown_actor_resource'),
    },
    {
      name: 'the subject comes before the type',
      question: question({ ...bridge, subject: 'stranger', type: 'adm', context: nameless }),
      expect: denied('unknown_subject'),
    },
    {
      name: 'the type comes before the fingerprint',
      question: question({ ...bridge, type: 'adm', context: nameless }),
      expect: denied('actor_type_mismatch'),
    },
    {
      name: 'the fingerprint comes before the principals',
      question: question({ ...bridge, context: nameless }),
      expect: denied('missing_fingerprint'),
    },
    {
      name: 'the principals come before the TTL',
      question: question({ ...bridge, context: late }),
      expect: denied('disallowed_principal'),
    },
  ];
}

function tenantCases(): CaseSet {
  const red = 'tenant:red';
  const registry = buildRegistry({
    ...PLATFORM,
    actors: [
      anActor('agt-blue', { principals: ['deploy'], allowedSubjects: ['agt-blue', 'iam:both'] }),
      anActor('agt-red', { principals: ['deploy'], tenant: red, allowedSubjects: ['agt-red', 'iam:both'] }),
    ],
  });
  const blueAsked = { actor: 'agt-blue', principal: 'deploy' };
  const redAsked = { actor: 'agt-red', principal: 'deploy' };
  const mixed = question({ ...redAsked, tenant: red });
  return {
    title: 'tenants are kept apart',
    registry,
    cases: [
      { name: 'an actor of the own tenant', question: question(blueAsked), expect: ALLOWED },
      { name: 'an actor of another tenant, in it', question: question({ ...redAsked, tenant: red }), expect: ALLOWED },
      {
        name: "another tenant's actor from the own",
        question: question(redAsked),
        expect: denied('unknown_actor_resource'),
      },
      {
        name: "the own tenant's actor from another",
        question: question({ ...blueAsked, tenant: red }),
        expect: denied('unknown_actor_resource'),
      },
      {
        name: 'a subject of both tenants, in one',
        question: question({ ...redAsked, tenant: red, subject: 'iam:both' }),
        expect: ALLOWED,
      },
      {
        name: 'a subject of both tenants, in the other',
        question: question({ ...blueAsked, subject: 'iam:both' }),
        expect: ALLOWED,
      },
      {
        name: 'a subject that claims another tenant than the request',
        question: { ...mixed, subject: { ...mixed.subject, tenant: PLATFORM.tenant } },
        expect: denied('unknown_subject'),
      },
      {
        name: 'another system',
        question: { ...mixed, resource: { ...mixed.resource, system: 'other' } },
        expect: denied('unknown_actor_resource'),
      },
    ],
  };
}

export function caseSets(): CaseSet[] {
  const production = parseRegistry(read('production_registry_snapshot.json'));
  return [
    {
      title: 'the fixtures of the policy package',
      registry: parseRegistry(read('registry_snapshot.json')),
      cases: parseFixtures(read('policy_fixtures.yaml')).map(({ name, request, expect }) => ({
        name,
        question: { ...request, action: 'sign' },
        expect,
      })),
    },
    { title: 'the production registry', registry: production, cases: [...productionCases(), ...orderCases()] },
    tenantCases(),
  ];
}
