import type { Route } from '../access/route.ts';
import type { ReadEvidence } from '../access/secret-store.ts';
import type { LedgerEntry } from '../ledger/record.ts';

/** What is recorded of a route, and may be shown to whoever may ask for it. */
export function routeEvidence(route: Route): Partial<LedgerEntry> {
  return {
    owner: route.owner,
    required_maturity: route.secret.requiredMaturity,
    data_class: route.secret.dataClass,
  };
}

export function ownerEvidence(evidence: ReadEvidence | null): Partial<LedgerEntry> {
  if (evidence === null) return { populated_key_count: 1 };
  const { path, version, requestId, tokenAccessor, leaseId, populatedKeys } = evidence;
  return {
    openbao_path: path,
    ...(version === 0 ? {} : { openbao_version: version }),
    ...(requestId === '' ? {} : { openbao_request_id: requestId }),
    ...(tokenAccessor === '' ? {} : { token_accessor: tokenAccessor }),
    ...(leaseId === '' ? {} : { lease_id: leaseId }),
    populated_key_count: populatedKeys,
  };
}
