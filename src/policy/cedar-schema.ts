/**
 * What the evaluator gives to the rules, in Cedar's own schema language. A package is validated against it when
 * it is loaded, strictly: a rule that could fail to evaluate would be skipped by Cedar, and a forbid that is
 * skipped is an allow.
 */
export const QUESTION_SCHEMA = `
type Registration = { type: String, tenant: String };

// Attributes are absent where the registry does not list the subject.
entity Subject = { registrations?: Set<Registration>, tenants?: Set<String> };

// "registered" is absent where the registry does not list the resource.
entity Resource = {
  registered?: {
    type: String,
    system: String,
    tenant: String,
    actor_type: String,
    principals: Set<String>,
    max_ttl_microseconds: Long,
    allowed_subjects: Set<Subject>,
  },
};

type Question = {
  tenant: String,
  subject_type: String,
  subject_tenant: String,
  resource_type: String,
  resource_system: String,
  resource_tenant: String,
  principals: Set<String>,
  actor_type?: String,
  pubkey_fingerprint?: String,
  ttl_microseconds?: Long,
};

action sign, fetch, exec appliesTo { principal: Subject, resource: Resource, context: Question };
`;
