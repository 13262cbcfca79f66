/** What conformance asserts, closed. The words go into JSON, SARIF and JUnit: they stay as they are. */
export const RULES = {
  environment_backend: 'the store behind an environment is of the kind that its posture demands',
  environment_unseal: 'the store is unsealed in the way that its posture demands',
  environment_real_values: 'real values exist only where, and only made as, the posture permits',
  environment_reuse: 'reuse of values is permitted in no prod environment',
  environment_real_data: 'real user or business data is in prod environments only',
  environment_audit: 'audit is on in test, and tamper-evident in prod',
  environment_break_glass: 'a prod environment has break-glass',
  audit_shipped: 'the audit log of a prod environment is shipped to another place',
  restore_drill: 'a prod environment was restored in a drill not too long ago',
  break_glass_drill: 'break-glass of a prod environment was drilled not too long ago',
  material_across_environments: 'no value exists in two environments',
  material_within_environment: 'a value serves two secrets in a test environment that allows reuse only',
  dev_is_synthetic: 'in dev every secret is synthetic',
  flow_within_environment: 'a secret flows to workloads of its own environment only',
  flow_lattice: 'a secret flows to a workload that its tier, its maturity and its data class permit',
  reference_resolves: 'every name that is referred to is in the manifest, once',
  live_daemon: 'the running daemon is of the posture of the environment',
  live_backend: 'the running store is of the kind that the manifest says',
  live_unseal: 'the running store is unsealed as the manifest says',
  live_audit: 'the running store has an audit device where the manifest says that audit is on',
  live_mounts: 'the running store has the mounts that the daemon needs',
  id_once: 'every id stands once in its list',
} as const;

export type RuleId = keyof typeof RULES;
export const RULE_IDS = Object.keys(RULES) as readonly RuleId[];
