import { createSyntheticDecisionPoint } from '../../src/policy/synthetic-decision-point.ts';
import { decisionPointContract } from './decision-point.contract.ts';

decisionPointContract({
  name: 'the decision point of the dev posture',
  givesReason: true,
  idSource: 'pdp',
  async start(registry) {
    const decisionPoint = createSyntheticDecisionPoint(registry);
    return { decisionPoint, close: () => decisionPoint.close() };
  },
});
