import { createHash } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import { QUESTION_SCHEMA } from './cedar-schema.ts';
import { readPolicyPackage } from './policy-package.ts';
import { type CheckRequest, hoursToMicroseconds, maturityLevel } from './policy-question.ts';
import { type RegistryIndex, resourceUid, subjectUid } from './registry-index.ts';

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

export interface Verdict {
  readonly effect: 'allow' | 'deny';
  readonly reason: string;
}

/** The reason where no rule permits and none forbids. */
const NO_RULE_MATCHED = 'no_rule_matched';

/** Of a permit: after every forbid. */
const UNORDERED = Number.MAX_SAFE_INTEGER;

interface Rule {
  readonly reason: string;
  readonly order: number;
}

/** The rules of one policy package. Decides; knows no network, file or clock. */
export interface PolicyEvaluator {
  /** @throws Error where a rule could not be evaluated: then there is no verdict, neither allow nor deny */
  evaluate(request: CheckRequest, registry: RegistryIndex): Verdict;
}

/**
 * Reads the rules out of a policy package and validates them. Cedar (4 MB of WebAssembly) is loaded here, at the
 * first call, and nowhere else.
 * @throws WardenError config_invalid naming what is wrong in the package
 */
export async function loadPolicyEvaluator(markdown: string): Promise<PolicyEvaluator> {
  const text = readPolicyPackage(markdown);
  const cedar = await import('@cedar-policy/cedar-wasm/nodejs');
  const policies = splitRules(cedar, text);
  const rules = new Map<string, Rule>();
  for (const [id, source] of Object.entries(policies)) {
    const rule = readRule(cedar, source);
    const rival = [...rules.values()].find((other) => other.order === rule.order && rule.order !== UNORDERED);
    if (rival !== undefined) throw invalid(`${rival.reason} and ${rule.reason} have the same @order`);
    rules.set(id, rule);
  }
  const validated = cedar.validate({
    validationSettings: { mode: 'strict' },
    schema: QUESTION_SCHEMA,
    policies: { staticPolicies: policies },
  });
  if (validated.type === 'failure') throw invalid(validated.errors[0]?.message ?? 'the rules cannot be validated');
  const wrong = validated.validationErrors[0];
  if (wrong !== undefined) throw invalid(`${nameOf(wrong.policyId, rules)}: ${wrong.error.message}`);

  // Cedar keeps parsed sets by name for the life of the process: the same text shares one.
  const setId = createHash('sha256').update(text).digest('hex');
  const parsed = cedar.preparsePolicySet(setId, { staticPolicies: policies });
  if (parsed.type === 'failure') throw invalid(parsed.errors[0]?.message ?? 'the rules cannot be parsed');
  return { evaluate: (request, registry) => evaluate(cedar, setId, rules, request, registry) };
}

function evaluate(
  cedar: Cedar,
  preparsedPolicySetId: string,
  rules: ReadonlyMap<string, Rule>,
  request: CheckRequest,
  registry: RegistryIndex,
): Verdict {
  const known = [registry.subject(request.subject.id), registry.resource(request.resource.id)];
  const answer = cedar.statefulIsAuthorized({
    preparsedPolicySetId,
    principal: subjectUid(request.subject.id),
    action: { type: 'Action', id: request.action },
    resource: resourceUid(request.resource.id),
    context: contextOf(request),
    entities: known.filter((entity) => entity !== undefined),
  });
  if (answer.type === 'failure') throw new Error(`cedar cannot evaluate: ${answer.errors[0]?.message ?? 'no cause'}`);
  const { decision, diagnostics } = answer.response;
  // A rule in error is skipped by Cedar; had it been a forbid, the rest would be an allow that no one wrote.
  if (diagnostics.errors.length > 0) throw new Error('a rule of the policy package failed to evaluate');
  const first = diagnostics.reason
    .map((id) => rules.get(id))
    .filter((rule) => rule !== undefined)
    .sort((a, b) => a.order - b.order)[0];
  return { effect: decision, reason: first?.reason ?? NO_RULE_MATCHED };
}

function contextOf({ subject, tenant, resource, context }: CheckRequest) {
  return {
    tenant,
    subject_type: subject.type,
    subject_tenant: subject.tenant,
    resource_type: resource.type,
    resource_system: resource.system,
    resource_tenant: resource.tenant,
    principals: context.principals ?? [],
    ...(context.actor_type === undefined ? {} : { actor_type: context.actor_type }),
    ...(context.pubkey_fingerprint === undefined ? {} : { pubkey_fingerprint: context.pubkey_fingerprint }),
    ...(context.ttl_hours === undefined ? {} : { ttl_microseconds: hoursToMicroseconds(context.ttl_hours) }),
    ...(context.env_posture === undefined ? {} : { env_posture: context.env_posture }),
    ...(context.workload_maturity === undefined ? {} : { workload_maturity: maturityLevel(context.workload_maturity) }),
    ...(context.required_maturity === undefined ? {} : { required_maturity: maturityLevel(context.required_maturity) }),
    ...(context.data_class === undefined ? {} : { data_class: context.data_class }),
  };
}

function splitRules(cedar: Cedar, text: string): Record<string, string> {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') {
    const error = parts.errors[0];
    const at = error?.sourceLocations?.[0]?.start;
    const where = at === undefined ? '' : `line ${Buffer.from(text).subarray(0, at).toString().split('\n').length}: `;
    throw invalid(`${where}${error?.message ?? 'the rules cannot be parsed'}`);
  }
  if (parts.policy_templates.length > 0) throw invalid('a rule is a template: nothing links templates');
  if (parts.policies.length === 0) throw invalid('there is no rule in it');
  return Object.fromEntries(parts.policies.map((source, index) => [`rule${index}`, source]));
}

function readRule(cedar: Cedar, source: string): Rule {
  const parsed = cedar.policyToJson(source);
  if (parsed.type === 'failure') throw invalid(parsed.errors[0]?.message ?? 'a rule cannot be parsed');
  const { reason, order } = parsed.json.annotations ?? {};
  if (reason === undefined || !/^[a-z][a-z0-9_]{0,63}$/.test(reason)) {
    throw invalid('a rule has no @reason("…") of lower-case letters, digits and underscores');
  }
  if (order !== undefined && !/^\d{1,6}$/.test(order)) throw invalid(`@order of ${reason} is not a number`);
  if (order === undefined && parsed.json.effect === 'forbid')
    throw invalid(`the forbid rule ${reason} has no @order("…")`);
  return { reason, order: order === undefined ? UNORDERED : Number(order) };
}

function nameOf(id: string, rules: ReadonlyMap<string, Rule>): string {
  return `rule ${rules.get(id)?.reason ?? id}`;
}

function invalid(what: string): WardenError {
  return new WardenError('config_invalid', `the policy package does not hold: ${what}`, {
    hint: 'mend the ```cedar block, see examples/flex-auth/policy_package.md',
  });
}
