import { describe, expect, it } from 'vitest';
import type { PolicyQuestion } from '../../src/policy/decision.ts';
import { PolicyFault } from '../../src/policy/decision-point.ts';
import { createSyntheticDecisionPoint } from '../../src/policy/synthetic-decision-point.ts';
import { buildRegistry } from '../../src/registry/snapshot.ts';
import { question } from '../contract/questions.ts';
import { anActor, PLATFORM } from '../registry/read-inventory.ts';

const registry = buildRegistry({ ...PLATFORM, actors: [anActor('agt-a')] });
const asked = question({ actor: 'agt-a', principal: 'agt-a' });
const context = { requestId: 'r' };

describe('the decision point of the dev posture', () => {
  it('says that it is a double, in itself and in every decision id', async () => {
    const point = createSyntheticDecisionPoint(registry);
    expect(point.double).toBe(true);
    const ids = new Set<string>();
    for (let turn = 0; turn < 20; turn += 1) {
      const decision = await point.decide(asked, context);
      expect(decision).toEqual({
        effect: 'allow',
        id: expect.stringMatching(/^synthetic-decision:[0-9a-f]{16}$/),
        idSource: 'pdp',
        reason: 'signing_policy_matched',
        expiresAt: null,
        cached: false,
      });
      ids.add(decision.id);
    }
    expect(ids.size).toBe(20);
  });

  it('decides over the registry that was handed to it last', async () => {
    const point = createSyntheticDecisionPoint(registry);
    expect((await point.decide(asked, context)).effect).toBe('allow');
    point.updateRegistry(buildRegistry({ ...PLATFORM, actors: [anActor('agt-b')] }));
    expect(await point.decide(asked, context)).toMatchObject({ effect: 'deny', reason: 'unknown_actor_resource' });
    expect((await point.decide(question({ actor: 'agt-b', principal: 'agt-b' }), context)).effect).toBe('allow');
  });

  it('faults, as the HTTP double does with 400, on a question that breaks the contract, and never decides it', async () => {
    const point = createSyntheticDecisionPoint(registry);
    const broken: PolicyQuestion = { ...asked, context: { ...asked.context, ttl_hours: 'eight' } };
    const fault = await point.decide(broken, context).catch((thrown: unknown) => thrown);
    expect(fault).toBeInstanceOf(PolicyFault);
    expect(fault).toMatchObject({
      kind: 'http_status',
      status: 400,
      message: 'context.ttl_hours is missing or no number',
    });
  });

  it('is ready, and closes more than once', async () => {
    const point = createSyntheticDecisionPoint(registry);
    await expect(point.ready()).resolves.toBeUndefined();
    await point.close();
    await expect(point.close()).resolves.toBeUndefined();
  });
});
