/**
 * examples/flex-auth/policy_package.md, carried inside the bundle so that the dev posture needs no file beside it.
 * A test keeps the two equal: `UPDATE_EXAMPLES=1 npx vitest run test/registry` writes this one anew.
 */
export const SYNTHETIC_POLICY_PACKAGE = `# Policy package: SSH certificates and secret routes

Decides whether a sign, fetch or exec request of \`wardend\` is allowed now. The inventory and the routes say what may be
asked for and are handed over as the registry; this package says what a request must look like to be allowed. The fences below are the rules
themselves: the decision point evaluates them with [Cedar](https://www.cedarpolicy.com/) straight out of this document.

## How it decides

A request is allowed where a \`permit\` holds and no \`forbid\` does. \`@reason\` is the word that goes back with the
decision. Where several rules forbid, the one with the lowest \`@order\` gives its reason. Where nothing permits and
nothing forbids, the answer is deny with the reason \`no_rule_matched\`.

## What the rules can see

| Name | Holds |
| --- | --- |
| \`principal\` | the subject; \`registrations\` (type and tenant of each entry) and \`tenants\` where the registry lists it |
| \`action\` | \`Action::"sign"\`, \`Action::"fetch"\`, \`Action::"exec"\`, and whatever else is asked |
| \`resource\` | of a certificate \`registered\`, where the registry lists it: \`type\`, \`system\`, \`tenant\`, \`actor_type\`, \`principals\`, \`max_ttl_microseconds\`, \`allowed_subjects\`; of a secret route \`route\`, where the registry lists it: \`type\`, \`system\`, \`tenants\` (of its actors), \`admitted\` (subject, type and tenant of all that its actors admit), \`actions\`, \`required_maturity\`, \`data_class\` |
| \`context\` | from the request: \`tenant\`, \`subject_type\`, \`subject_tenant\`, \`resource_type\`, \`resource_system\`, \`resource_tenant\`, \`principals\` (empty where none came), and where they came \`actor_type\`, \`pubkey_fingerprint\`, \`ttl_microseconds\`, \`env_posture\`, \`workload_maturity\`, \`required_maturity\`, \`data_class\` |

Hours become whole microseconds on both sides, since Cedar counts in integers, and the maturities \`M0\` to \`M3\` become 0
to 3. An entry of the registry that names no
tenant belongs to the registry's own.

## 1. The resource is registered, in this tenant and system

A request that comes in another tenant than the resource's gets the same answer as one for a resource that is not there:
a tenant learns nothing about its neighbour.

\`\`\`cedar
@order("1")
@reason("unknown_actor_resource")
forbid (principal, action, resource)
unless {
  (resource has registered &&
    resource.registered.type == context.resource_type &&
    resource.registered.system == context.resource_system &&
    resource.registered.tenant == context.resource_tenant &&
    resource.registered.tenant == context.tenant) ||
  (resource has route &&
    resource.route.type == context.resource_type &&
    resource.route.system == context.resource_system &&
    resource.route.tenants.contains(context.resource_tenant) &&
    context.resource_tenant == context.tenant)
};
\`\`\`

## 2. A certificate: the subject is registered in this tenant, and the resource lists it

\`\`\`cedar
@order("2")
@reason("unknown_subject")
forbid (principal, action, resource)
when { resource has registered }
unless {
  principal has tenants &&
  principal.tenants.contains(resource.registered.tenant) &&
  resource.registered.tenant == context.subject_tenant &&
  resource.registered.allowed_subjects.contains(principal)
};
\`\`\`

## 3. A certificate: request, subject and resource agree on the actor type

\`\`\`cedar
@order("3")
@reason("actor_type_mismatch")
forbid (principal, action, resource)
when { resource has registered }
unless {
  context has actor_type &&
  context.actor_type == resource.registered.actor_type &&
  context.subject_type == resource.registered.actor_type &&
  principal has registrations &&
  principal.registrations.contains({
    type: resource.registered.actor_type,
    tenant: resource.registered.tenant
  })
};
\`\`\`

## 4. A certificate: the key is named

\`\`\`cedar
@order("4")
@reason("missing_fingerprint")
forbid (principal, action, resource)
when { resource has registered }
unless { context has pubkey_fingerprint && context.pubkey_fingerprint != "" };
\`\`\`

## 5. A certificate: principals, at least one, and none beyond the registered

\`\`\`cedar
@order("5")
@reason("disallowed_principal")
forbid (principal, action, resource)
when { resource has registered }
unless {
  !context.principals.isEmpty() &&
  resource.registered.principals.containsAll(context.principals)
};
\`\`\`

## 6. A certificate: the TTL, above nothing, up to the maximum

\`\`\`cedar
@order("6")
@reason("ttl_out_of_bounds")
forbid (principal, action, resource)
when { resource has registered }
unless {
  context has ttl_microseconds &&
  context.ttl_microseconds > 0 &&
  context.ttl_microseconds <= resource.registered.max_ttl_microseconds
};
\`\`\`

## 7. A route: one of its actors admits the subject, of this type, in this tenant

\`\`\`cedar
@order("7")
@reason("unknown_subject")
forbid (principal, action, resource)
when { resource has route }
unless {
  context.subject_tenant == context.tenant &&
  principal has registrations &&
  principal.registrations.contains({ type: context.subject_type, tenant: context.tenant }) &&
  resource.route.admitted.contains({
    subject: principal,
    type: context.subject_type,
    tenant: context.tenant
  })
};
\`\`\`

## 8. A route: it offers what is asked

\`\`\`cedar
@order("8")
@reason("route_not_offered")
forbid (principal, action, resource)
when { resource has route }
unless {
  (action == Action::"fetch" && resource.route.actions.contains("fetch")) ||
  (action == Action::"exec" && resource.route.actions.contains("exec"))
};
\`\`\`

## 9. A route: request and registry agree on what the secret demands

Where they differ the routes changed after the last hand-over, and neither side can be taken at its word.

\`\`\`cedar
@order("9")
@reason("route_demand_mismatch")
forbid (principal, action, resource)
when { resource has route }
unless {
  context has required_maturity &&
  context.required_maturity == resource.route.required_maturity &&
  context has data_class &&
  context.data_class == resource.route.data_class
};
\`\`\`

## 10. A route: the posture

Real values flow in \`prod\`, values generated for test in \`test\`. In \`dev\` there are only the synthetic values of the
doubles, whose data class is \`synthetic\` whatever the secret of that name guards elsewhere: there the two rules on
maturity say nothing.

\`\`\`cedar
@order("10")
@reason("posture_not_permitted")
forbid (principal, action, resource)
when { resource has route }
unless { context has env_posture && ["dev", "test", "prod"].contains(context.env_posture) };
\`\`\`

## 11. A route: the workload has the maturity that the secret requires

\`\`\`cedar
@order("11")
@reason("maturity_below_required")
forbid (principal, action, resource)
when { resource has route }
unless {
  (context has env_posture && context.env_posture == "dev") ||
  (context has workload_maturity && context.workload_maturity >= resource.route.required_maturity)
};
\`\`\`

## 12. A route: the workload has the maturity that the data class requires

The floors are those of the posture descriptor. A data class that is not among them has none that could be reached.

\`\`\`cedar
@order("12")
@reason("maturity_below_floor")
forbid (principal, action, resource)
when { resource has route }
unless {
  (context has env_posture && context.env_posture == "dev") ||
  (context has workload_maturity &&
    ((resource.route.data_class == "synthetic" && context.workload_maturity >= 0) ||
      (["public", "internal"].contains(resource.route.data_class) && context.workload_maturity >= 1) ||
      (resource.route.data_class == "confidential" && context.workload_maturity >= 2) ||
      (resource.route.data_class == "restricted" && context.workload_maturity >= 3)))
};
\`\`\`

## What is allowed

\`\`\`cedar
@reason("signing_policy_matched")
permit (principal, action == Action::"sign", resource)
when { resource has registered && resource.registered.type == "ssh-certificate" };
\`\`\`

\`\`\`cedar
@reason("secret_route_matched")
permit (principal, action in [Action::"fetch", Action::"exec"], resource)
when { resource has route && resource.route.type == "secret-route" };
\`\`\`
`;
