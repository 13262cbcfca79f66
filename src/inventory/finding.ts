/** One thing that a checker found: what it is, and how it is mended. */
export interface Finding {
  /** A `warning` may stand in a deliberate inventory; an `error` may not. Both make a checker exit 1. */
  readonly severity: 'error' | 'warning';
  /** Stable, for scripts: `principal_shared_across_types`. */
  readonly rule: string;
  /** The actor, resource or subject it is about; "" where it is the whole. */
  readonly about: string;
  readonly message: string;
  readonly mend: string;
}

/** Exit code of a checker: 0 conforms, 1 findings, 2 unusable input. */
export type CheckerExit = 0 | 1 | 2;

export interface CheckReport {
  readonly exit: CheckerExit;
  readonly findings: readonly Finding[];
}
