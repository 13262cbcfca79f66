import { SYNTHETIC_PREFIX } from '../kernel/posture.ts';
import { loadPolicyEvaluator, type PolicyEvaluator, type Verdict } from './cedar-evaluator.ts';
import { newDecisionId } from './decision-id.ts';
import { type DecisionPoint, PolicyFault } from './decision-point.ts';
import { type CheckRequest, checkRequestSchema, describeIssue } from './policy-question.ts';
import { indexRegistry, type RegistryIndex } from './registry-index.ts';
import type { RegistrySnapshot } from './registry-snapshot.ts';
import { SYNTHETIC_POLICY_PACKAGE } from './synthetic-policy-package.ts';

export interface SyntheticDecisionPoint extends DecisionPoint {
  readonly double: true;
  /** The registry of the snapshot in force: `buildRegistry(…)`. Cheap to call at each reload: it is indexed when next asked. */
  updateRegistry(registry: RegistrySnapshot): void;
}

/**
 * The decision point of the dev posture: the shipped policy package over the registry of the daemon's own
 * inventory, in process. Cedar is loaded at the first question or readiness check, so a daemon without a gate
 * never pays for it. Decision ids begin with `synthetic-`.
 */
export function createSyntheticDecisionPoint(registry: RegistrySnapshot): SyntheticDecisionPoint {
  let index: RegistryIndex | null = null;
  let current = registry;
  let loading: Promise<PolicyEvaluator> | null = null;
  const evaluator = (): Promise<PolicyEvaluator> => {
    loading ??= loadPolicyEvaluator(SYNTHETIC_POLICY_PACKAGE).catch((cause: unknown) => {
      loading = null;
      throw new PolicyFault('unreachable', 'the synthetic decision point cannot load its rules', { cause });
    });
    return loading;
  };
  return {
    double: true,
    updateRegistry(next) {
      current = next;
      index = null;
    },
    async decide(question) {
      const rules = await evaluator();
      const parsed = checkRequestSchema.safeParse(question);
      // What the HTTP double answers with 400.
      if (!parsed.success) throw new PolicyFault('http_status', describeIssue(parsed.error), { status: 400 });
      index ??= indexRegistry(current);
      const { effect, reason } = verdictOf(rules, parsed.data, index);
      const id = `${SYNTHETIC_PREFIX}${newDecisionId()}`;
      return { effect, id, idSource: 'pdp', reason, expiresAt: null, cached: false };
    },
    async ready() {
      await evaluator();
    },
    async close() {},
  };
}

function verdictOf(rules: PolicyEvaluator, request: CheckRequest, registry: RegistryIndex): Verdict {
  try {
    return rules.evaluate(request, registry);
  } catch (cause) {
    // No verdict is a fault, as the HTTP double's 500 is; `answer` is the kind that never opens the gate.
    throw new PolicyFault('answer', 'the synthetic decision point could not evaluate its rules', { cause });
  }
}
