/**
 * What the evaluator gives to the rules, in Cedar's own schema language. A package is validated against it when
 * it is loaded, strictly: a rule that could fail to evaluate would be skipped by Cedar, and a forbid that is
 * skipped is an allow.
 */
export const QUESTION_SCHEMA = `
type Registration = { type: String, tenant: String };

// Attributes are absent where the registry does not list the subject.
entity Subject = { registrations?: Set<Registration>, tenants?: Set<String> };

type Admitted = { subject: Subject, type: String, tenant: String };

// "registered" is there for a certificate that the registry lists, "route" for a route; for anything else neither.
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
  route?: {
    type: String,
    system: String,
    tenants: Set<String>,
    admitted: Set<Admitted>,
    actions: Set<String>,
    required_maturity: Long,
    data_class: String,
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
  env_posture?: String,
  workload_maturity?: Long,
  required_maturity?: Long,
  data_class?: String,
};

action sign, fetch, exec appliesTo { principal: Subject, resource: Resource, context: Question };
`;
