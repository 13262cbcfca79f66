/**
 * examples/flex-auth/policy_package.md, carried inside the bundle so that the dev posture needs no file beside it.
 * A test keeps the two equal: `UPDATE_EXAMPLES=1 npx vitest run test/registry` writes this one anew.
 */
export const SYNTHETIC_POLICY_PACKAGE = `# Policy package: SSH certificates

Decides whether a sign request of \`wardend\` is allowed now. The inventory says what an actor may ask for and is handed
over as the registry; this package says what a request must look like to be allowed. The fences below are the rules
themselves: the decision point evaluates them with [Cedar](https://www.cedarpolicy.com/) straight out of this document.

## How it decides

A request is allowed where a \`permit\` holds and no \`forbid\` does. \`@reason\` is the word that goes back with the
decision. Where several rules forbid, the one with the lowest \`@order\` gives its reason. Where nothing permits and
nothing forbids, the answer is deny with the reason \`no_rule_matched\`.

## What the rules can see

| Name | Holds |
| --- | --- |
| \`principal\` | the subject; \`registrations\` (type and tenant of each entry) and \`tenants\` where the registry lists it |
| \`action\` | \`Action::"sign"\`, and whatever else is asked |
| \`resource\` | \`registered\`, where the registry lists it: \`type\`, \`system\`, \`tenant\`, \`actor_type\`, \`principals\`, \`max_ttl_microseconds\`, \`allowed_subjects\` |
| \`context\` | from the request: \`tenant\`, \`subject_type\`, \`subject_tenant\`, \`resource_type\`, \`resource_system\`, \`resource_tenant\`, \`principals\` (empty where none came), and where they came \`actor_type\`, \`pubkey_fingerprint\`, \`ttl_microseconds\` |

Hours become whole microseconds on both sides, since Cedar counts in integers. An entry of the registry that names no
tenant belongs to the registry's own.

## 1. The resource is registered, in this tenant and system

A request that comes in another tenant than the resource's gets the same answer as one for a resource that is not there:
a tenant learns nothing about its neighbour.

\`\`\`cedar
@order("1")
@reason("unknown_actor_resource")
forbid (principal, action, resource)
unless {
  resource has registered &&
  resource.registered.type == context.resource_type &&
  resource.registered.system == context.resource_system &&
  resource.registered.tenant == context.resource_tenant &&
  resource.registered.tenant == context.tenant
};
\`\`\`

## 2. The subject is registered in this tenant, and the resource lists it

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

## 3. Request, subject and resource agree on the actor type

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

## 4. The key is named

\`\`\`cedar
@order("4")
@reason("missing_fingerprint")
forbid (principal, action, resource)
unless { context has pubkey_fingerprint && context.pubkey_fingerprint != "" };
\`\`\`

## 5. Principals: at least one, and none beyond the registered

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

## 6. The TTL: above nothing, up to the maximum

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

## What is allowed

\`\`\`cedar
@reason("signing_policy_matched")
permit (principal, action == Action::"sign", resource)
when { resource has registered && resource.registered.type == "ssh-certificate" };
\`\`\`
`;
