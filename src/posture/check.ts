import type { Verdict } from './lattice.ts';
import type { RuleId } from './rules.ts';

/** Where in the manifest: keys and indices from its root. */
export type ManifestPath = readonly (string | number)[];

/** One assertion about the manifest, whether it held or not. */
export interface Check {
  readonly rule: RuleId;
  /** `environment prod-eu`, `secret npm-auth-token`, `flow npm-auth-token -> build`. */
  readonly about: string;
  readonly path: ManifestPath;
  readonly held: boolean;
  /** What there is and what there should be: lower case, no full stop. */
  readonly message: string;
  /** What to do where it does not hold. */
  readonly mend: string;
}

/** One flow, judged. */
export interface JudgedFlow {
  readonly secret: string;
  readonly workload: string;
  readonly path: ManifestPath;
  /** The tier's own rule, which decides; null where secret, workload or an environment is not there. */
  readonly release: Verdict | null;
  /** The rule for real values. */
  readonly deliver: Verdict | null;
  /** Every check on it held. */
  readonly conforms: boolean;
}

export interface Conformance {
  readonly conforms: boolean;
  readonly checks: readonly Check[];
  readonly flows: readonly JudgedFlow[];
}

/** What does not hold, in the order of the checks. */
export function findingsOf(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ held }) => !held);
}
