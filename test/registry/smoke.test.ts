import { describe, expect, it } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import {
  DENY_TTL_SECONDS,
  formatEvidence,
  type SmokeOutcome,
  type SmokeRequest,
  smokePolicy,
} from '../../src/registry/smoke.ts';

const allowed: SmokeOutcome = {
  policyDecisionId: 'decision:0000000000000001',
  effect: 'allow',
  reason: 'signing_policy_matched',
  backend: 'local',
  certificateIssued: true,
};
const denied: SmokeOutcome = {
  ...allowed,
  policyDecisionId: 'decision:0000000000000002',
  effect: 'deny',
  reason: 'ttl_out_of_bounds',
  certificateIssued: false,
};
const plan = { actor: 'agt-a', allowTtlSeconds: null, denyTtlSeconds: DENY_TTL_SECONDS };

function run(
  allow: SmokeOutcome | WardenError,
  deny: SmokeOutcome | WardenError,
  preflight: () => Promise<void> = async () => {},
) {
  const asked: SmokeRequest[] = [];
  const report = smokePolicy(plan, {
    preflight,
    sign: async (request) => {
      asked.push(request);
      const outcome = request.check === 'allow' ? allow : deny;
      if (outcome instanceof WardenError) throw outcome;
      return outcome;
    },
    newSmokeId: () => 'smoke-1',
    now: () => Date.parse('2026-06-24T10:00:00Z'),
  });
  return { report, asked };
}

describe('warden smoke policy', () => {
  it('asks for one allow by default TTL and one deny far above every maximum', async () => {
    const { report, asked } = run(allowed, denied);
    await report;
    expect(asked).toEqual([
      { check: 'allow', actor: 'agt-a', ttlSeconds: null, smokeId: 'smoke-1' },
      { check: 'deny', actor: 'agt-a', ttlSeconds: 3_596_400, smokeId: 'smoke-1' },
    ]);
  });

  it('gives as evidence exactly the keys of the contract, in order', async () => {
    const report = await run(allowed, denied).report;
    expect(report).toMatchObject({ exit: 0, problems: [] });
    expect(report.evidence.map(formatEvidence)).toEqual([
      '{"actor":"agt-a","policy_decision_id":"decision:0000000000000001","effect":"allow","reason":"signing_policy_matched","backend":"local","certificate_issued":true,"smoke_id":"smoke-1","time":"2026-06-24T10:00:00.000Z"}',
      '{"actor":"agt-a","policy_decision_id":"decision:0000000000000002","effect":"deny","reason":"ttl_out_of_bounds","backend":"local","certificate_issued":false,"smoke_id":"smoke-1","time":"2026-06-24T10:00:00.000Z"}',
    ]);
  });

  it('takes an allow without a reason, since AuthZEN brings none', async () => {
    expect((await run({ ...allowed, reason: '' }, denied).report).exit).toBe(0);
  });

  it.each<[string, SmokeOutcome, SmokeOutcome, string[]]>([
    [
      'the allow was denied',
      { ...allowed, effect: 'deny', certificateIssued: false },
      denied,
      ['allow check: the effect is deny', 'allow check: no certificate was issued'],
    ],
    [
      'the gate is off',
      { ...allowed, effect: 'not_asked', policyDecisionId: '' },
      denied,
      ['allow check: the effect is not_asked', 'allow check: there is no decision id'],
    ],
    [
      'the allow was released under break-glass',
      { ...allowed, effect: 'fault', policyDecisionId: '' },
      denied,
      ['allow check: the effect is fault', 'allow check: there is no decision id'],
    ],
    [
      'another rule allowed',
      { ...allowed, reason: 'everything_goes' },
      denied,
      ['allow check: the reason is everything_goes, not signing_policy_matched'],
    ],
    [
      'the deny was allowed',
      allowed,
      { ...denied, effect: 'allow', certificateIssued: true },
      ['deny check: the effect is allow', 'deny check: a certificate was issued'],
    ],
    [
      'a certificate came in spite of a deny',
      allowed,
      { ...denied, certificateIssued: true },
      ['deny check: a certificate was issued'],
    ],
    [
      'the deny had another cause',
      allowed,
      { ...denied, reason: 'unknown_subject' },
      ['deny check: the reason is unknown_subject, not ttl_out_of_bounds'],
    ],
    [
      'the deny had no word',
      allowed,
      { ...denied, reason: '' },
      ['deny check: the reason is missing, not ttl_out_of_bounds'],
    ],
    [
      'our own ceiling refused before the gate',
      allowed,
      { ...denied, effect: 'not_asked', policyDecisionId: '' },
      ['deny check: the effect is not_asked', 'deny check: there is no decision id'],
    ],
  ])('ends with 1 where %s', async (_name, allow, deny, problems) => {
    const report = await run(allow, deny).report;
    expect(report).toMatchObject({ exit: 1, problems });
    expect(report.evidence).toHaveLength(2);
  });

  const down = new WardenError('policy_unavailable', 'the decision point does not answer');
  it('ends with 2, and asks for nothing, where the pre-flight fails', async () => {
    const { report, asked } = run(allowed, denied, () => Promise.reject(down));
    expect(await report).toEqual({
      exit: 2,
      evidence: [],
      problems: [
        'the decision point does not answer: bring the decision point at policy.flex_auth_url back; `warden status` shows its state',
      ],
    });
    expect(asked).toEqual([]);
  });
  it('ends with 2 where the second request gets no answer, and keeps the evidence of the first', async () => {
    const report = await run(allowed, new WardenError('daemon_unreachable', 'no daemon')).report;
    expect(report).toMatchObject({ exit: 2, evidence: [{ effect: 'allow' }] });
  });
  it('does not swallow a fault of its own', async () => {
    await expect(run(allowed, denied, () => Promise.reject(new TypeError('bug'))).report).rejects.toThrow(TypeError);
  });
});
