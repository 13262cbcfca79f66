import { WardenError } from '../kernel/errors.ts';
import type { PolicyFault, PolicyFaultKind } from './decision-point.ts';

export interface FaultSituation {
  /** `policy.fail_closed`. */
  readonly failClosed: boolean;
  readonly breakGlassOpen: boolean;
}

/** What a fault of the decision point leads to. A release is marked in the ledger with its `because`. */
export type FaultVerdict =
  | { readonly outcome: 'refuse'; readonly error: WardenError }
  | { readonly outcome: 'release'; readonly because: 'fail_open' | 'break_glass' };

/**
 * The one rule on faults. Connection failure, timeout and HTTP 4xx or 5xx may be released under
 * `fail_closed: false` or an open break-glass; nothing else ever is, whatever the settings say. A deny is no fault
 * and never comes here.
 */
export function ruleOnFault(fault: PolicyFault, { failClosed, breakGlassOpen }: FaultSituation): FaultVerdict {
  if (isOutage(fault)) {
    if (!failClosed) return { outcome: 'release', because: 'fail_open' };
    if (breakGlassOpen) return { outcome: 'release', because: 'break_glass' };
  }
  return { outcome: 'refuse', error: errorOfFault(fault) };
}

const OUTAGES: ReadonlySet<PolicyFaultKind> = new Set(['unreachable', 'timeout', 'http_status']);

function isOutage({ kind, openedBy }: PolicyFault): boolean {
  // An open breaker stands for the outage that opened it.
  return OUTAGES.has(kind) || (kind === 'breaker_open' && openedBy !== null && OUTAGES.has(openedBy));
}

/** The refusal that a fault becomes. The fault itself, with names of files and codes, is for the log. */
export function errorOfFault(fault: PolicyFault): WardenError {
  const cause = fault;
  switch (fault.kind) {
    case 'answer':
      return new WardenError('policy_answer_invalid', "the decision point's answer breaks the contract", { cause });
    case 'untrusted':
      return new WardenError('policy_unavailable', 'the decision point could not show that it is the one configured', {
        cause,
        hint: 'see `warden status`, and policy.auth and policy.ca_file in warden.yaml',
      });
    case 'overloaded':
      return new WardenError('policy_unavailable', 'too many requests wait for the decision point', {
        cause,
        hint: 'ask again in a moment; `warden status` shows how many wait',
      });
    case 'timeout':
      return new WardenError('policy_unavailable', 'the decision point did not answer in time', { cause });
    case 'http_status':
      return new WardenError('policy_unavailable', `the decision point failed with HTTP ${fault.status ?? 'error'}`, {
        cause,
      });
    case 'unreachable':
      return new WardenError('policy_unavailable', 'the decision point cannot be reached', { cause });
    case 'breaker_open':
      return new WardenError('policy_unavailable', 'the decision point has not answered lately', { cause });
  }
}
