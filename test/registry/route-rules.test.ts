import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { routeQuestion } from '../../src/access/route-question.ts';
import { MATURITIES, type Maturity, POSTURES } from '../../src/kernel/posture.ts';
import { loadPolicyEvaluator, type PolicyEvaluator } from '../../src/policy/cedar-evaluator.ts';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import { type CheckRequest, checkRequestSchema } from '../../src/policy/policy-question.ts';
import { indexRegistry } from '../../src/policy/registry-index.ts';
import { DATA_CLASSES } from '../../src/posture/data-class.ts';
import { SECURITY_POSTURE } from '../../src/posture/descriptor.ts';
import { canRelease } from '../../src/posture/lattice.ts';
import { buildRegistry, type RegisteredRoute } from '../../src/registry/snapshot.ts';
import { question } from '../contract/questions.ts';
import { anActor, examples, PLATFORM } from './read-inventory.ts';

const shipped = readFileSync(new URL('flex-auth/policy_package.md', examples), 'utf8');
const ALLOWED = { effect: 'allow', reason: 'secret_route_matched' };

const workload = anActor('agt-a', { maturity: 'M2' });
const neighbour = anActor('agt-red', { tenant: 'tenant:red', maturity: 'M2' });
const stranger = anActor('agt-b', { maturity: 'M3' });

const route = (over: Partial<RegisteredRoute> = {}): RegisteredRoute => ({
  id: 'npm',
  owner: 'openbao',
  secret: { requiredMaturity: 'M2', dataClass: 'confidential' },
  actors: ['agt-a', 'agt-red', 'agt-not-registered'],
  fetchCapable: true,
  execCapable: true,
  ...over,
});

/** What the daemon asks, unless the case lays something over it. */
function asked(over: { action?: 'fetch' | 'exec'; subject?: string; actor?: typeof workload } = {}): PolicyQuestion {
  const { action = 'fetch', actor = workload, subject = actor.name } = over;
  const command = action === 'exec' ? { command: 'npm' } : {};
  return routeQuestion({
    action,
    route: route(),
    actor,
    subject,
    system: PLATFORM.system,
    posture: 'prod',
    ...command,
  });
}

/** A Cedar answer for a question that went through the decision point's own parser. */
function decide(rules: PolicyEvaluator, over: PolicyQuestion, routes = [route()]) {
  const registry = buildRegistry({ ...PLATFORM, actors: [workload, neighbour, stranger], routes });
  return rules.evaluate(parsed(over), indexRegistry(registry));
}
const parsed = (from: PolicyQuestion): CheckRequest => checkRequestSchema.parse(JSON.parse(JSON.stringify(from)));

let rules: PolicyEvaluator;
beforeAll(async () => {
  rules = await loadPolicyEvaluator(shipped);
});

describe('a question about a route', () => {
  it.each<[string, PolicyQuestion]>([
    ['fetch by the actor itself', asked()],
    ['exec', asked({ action: 'exec' })],
    ['another subject that the actor allows', asked({ subject: 'iam:agt-a' })],
    ['an actor of another tenant, in its own tenant', asked({ actor: neighbour })],
  ])('is allowed: %s', (_name, over) => {
    expect(decide(rules, over)).toEqual(ALLOWED);
  });

  const base = asked();
  const withContext = (over: object) => ({ ...base, context: { ...base.context, ...over } });
  const DENIED: [string, PolicyQuestion, string, RegisteredRoute[]?][] = [
    ['a registry without routes', base, 'unknown_actor_resource', []],
    [
      'a route that is not registered',
      { ...base, resource: { ...base.resource, id: 'secret-route:other' } },
      'unknown_actor_resource',
    ],
    [
      'a route asked for as a certificate',
      { ...base, resource: { ...base.resource, type: 'ssh-certificate' } },
      'unknown_actor_resource',
    ],
    ['another system', { ...base, resource: { ...base.resource, system: 'other' } }, 'unknown_actor_resource'],
    [
      'a tenant that no actor of the route is in',
      asked({ actor: { ...workload, tenant: 'tenant:blue' } }),
      'unknown_actor_resource',
    ],
    ['a route whose actors are not registered', base, 'unknown_actor_resource', [route({ actors: ['agt-x'] })]],
    ['a subject that nobody registered', asked({ subject: 'agt-nobody' }), 'unknown_subject'],
    ['a registered subject of an actor that may not ask', asked({ actor: stranger }), 'unknown_subject'],
    [
      'the subject of a neighbour, in this tenant',
      { ...base, subject: { ...base.subject, id: 'agt-red' } },
      'unknown_subject',
    ],
    [
      'the subject in another tenant than the request',
      { ...base, subject: { ...base.subject, tenant: 'tenant:red' } },
      'unknown_subject',
    ],
    ['the subject under another type', { ...base, subject: { ...base.subject, type: 'adm' } }, 'unknown_subject'],
    ['fetch of a route for commands only', base, 'route_not_offered', [route({ fetchCapable: false })]],
    ['exec of a route for fetch only', asked({ action: 'exec' }), 'route_not_offered', [route({ execCapable: false })]],
    ['sign', { ...base, action: 'sign' }, 'route_not_offered'],
    ['a lower demand than the registry holds', withContext({ required_maturity: 'M0' }), 'route_demand_mismatch'],
    ['another data class than the registry holds', withContext({ data_class: 'public' }), 'route_demand_mismatch'],
    ['no demand at all', withContext({ required_maturity: undefined }), 'route_demand_mismatch'],
    ['no data class at all', withContext({ data_class: undefined }), 'route_demand_mismatch'],
    ['a posture that there is not', withContext({ env_posture: 'staging' }), 'posture_not_permitted'],
    ['no posture', withContext({ env_posture: undefined }), 'posture_not_permitted'],
    ['a maturity below the required', withContext({ workload_maturity: 'M1' }), 'maturity_below_required'],
    ['no maturity', withContext({ workload_maturity: undefined }), 'maturity_below_required'],
    [
      'a maturity below the floor of the data class alone',
      withContext({ workload_maturity: 'M1', required_maturity: 'M0' }),
      'maturity_below_floor',
      [route({ secret: { requiredMaturity: 'M0', dataClass: 'confidential' } })],
    ],
  ];

  it.each(DENIED)('is denied: %s', (_name, over, reason, routes) => {
    expect(decide(rules, over, routes)).toEqual({ effect: 'deny', reason });
  });

  it('is denied by the first reason that holds', () => {
    const everything = {
      ...asked({ subject: 'agt-nobody' }),
      action: 'sign' as const,
      context: { env_posture: 'staging', workload_maturity: 'M0', required_maturity: 'M1', data_class: 'public' },
    };
    expect(decide(rules, everything)).toEqual({ effect: 'deny', reason: 'unknown_subject' });
    expect(decide(rules, { ...everything, subject: base.subject })).toEqual({
      effect: 'deny',
      reason: 'route_not_offered',
    });
    expect(decide(rules, { ...everything, subject: base.subject, action: 'fetch' })).toEqual({
      effect: 'deny',
      reason: 'route_demand_mismatch',
    });
  });

  it.each([
    [8, 'route_not_offered'],
    [9, 'route_demand_mismatch'],
    [10, 'posture_not_permitted'],
    [12, 'maturity_below_floor'],
  ])('without rule %i nothing else denies for %s', async (order, reason) => {
    const rule = new RegExp(`@order\\("${order}"\\)\n@reason\\("${reason}"\\)\n[^;]*;`);
    expect(shipped).toMatch(rule);
    const without = await loadPolicyEvaluator(shipped.replace(rule, '// gone'));
    const cases = DENIED.filter(([, { action }, expected]) => expected === reason && action !== 'sign');
    expect(cases.length).toBeGreaterThan(0);
    for (const [, over, , routes] of cases) expect(decide(without, over, routes)).toEqual(ALLOWED);
  });

  it.each([
    ['a maturity that there is not', { workload_maturity: 'M9' }],
    ['a maturity as a number', { workload_maturity: 3 }],
    ['a posture that is no text', { env_posture: ['prod'] }],
  ])('is no question: %s', (_name, over) => {
    expect(checkRequestSchema.safeParse({ ...base, context: { ...base.context, ...over } }).success).toBe(false);
  });
});

describe('certificates and routes', () => {
  it.each(['fetch', 'exec'] as const)('a certificate cannot be asked for with %s', (action) => {
    const over = question({ actor: 'agt-a', principal: 'agt-a', action });
    expect(decide(rules, over)).toEqual({ effect: 'deny', reason: 'no_rule_matched' });
  });
  it('a registry with routes decides on certificates as before', () => {
    const sign = question({ actor: 'agt-a', principal: 'agt-a' });
    expect(decide(rules, sign)).toEqual({ effect: 'allow', reason: 'signing_policy_matched' });
    expect(decide(rules, { ...sign, context: { actor_type: 'agt' } })).toEqual({
      effect: 'deny',
      reason: 'missing_fingerprint',
    });
  });
});

describe('the lattice of the policy package is the one of the daemon', () => {
  const cases = POSTURES.flatMap((posture) =>
    DATA_CLASSES.flatMap((dataClass) =>
      MATURITIES.map((requiredMaturity) => ({ posture, dataClass, requiredMaturity })),
    ),
  );
  it.each(cases)('posture $posture, class $dataClass, required $requiredMaturity', (of) => {
    const secret = { requiredMaturity: of.requiredMaturity, dataClass: of.dataClass };
    const material = SECURITY_POSTURE.postures.find(({ id }) => id === of.posture)?.material;
    if (material === undefined) throw new Error(`the descriptor has no posture ${of.posture}`);
    const registered = route({ secret });
    const verdictFor = (maturity: Maturity) =>
      decide(
        rules,
        routeQuestion({
          action: 'fetch',
          route: registered,
          actor: { ...workload, maturity },
          subject: 'agt-a',
          system: PLATFORM.system,
          posture: of.posture,
        }),
        [registered],
      );
    for (const maturity of MATURITIES) {
      const { permitted, clauses } = canRelease(secret, { posture: of.posture, maturity }, material);
      const failed = clauses.find(({ held }) => !held)?.id;
      const reason = failed === 'required_maturity' ? 'maturity_below_required' : 'maturity_below_floor';
      expect(verdictFor(maturity), maturity).toEqual(permitted ? ALLOWED : { effect: 'deny', reason });
    }
  });
});
