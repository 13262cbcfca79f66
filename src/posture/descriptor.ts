import type { EnvPosture, Maturity } from '../kernel/posture.ts';
import type { DataClass } from './data-class.ts';

export const BACKENDS = ['mock', 'contract-double', 'openbao-dev', 'openbao-sealed'] as const;
export const UNSEALS = ['none', 'single-key', 'auto', 'shamir-3-of-5'] as const;
export const REAL_VALUES = ['forbidden', 'generated', 'generated-fresh'] as const;
export const REUSES = ['forbidden', 'allowed'] as const;
export const REAL_DATA = ['never', 'allowed'] as const;
export const AUDIT_LEVELS = ['optional', 'on', 'tamper-evident'] as const;

export type Backend = (typeof BACKENDS)[number];
export type Unseal = (typeof UNSEALS)[number];
export type RealValues = (typeof REAL_VALUES)[number];
export type Reuse = (typeof REUSES)[number];
export type RealData = (typeof REAL_DATA)[number];
export type AuditLevel = (typeof AUDIT_LEVELS)[number];

/** Whose values exist in a tier: those of doubles, those generated for test, or real ones. They never cross. */
export type Material = 'synthetic' | 'test' | 'prod';

/** Axis A, one tier: what an environment of this posture may say of itself. */
export interface PostureRow {
  readonly id: EnvPosture;
  readonly about: string;
  readonly material: Material;
  readonly backend: readonly Backend[];
  readonly unseal: readonly Unseal[];
  readonly real_values: readonly RealValues[];
  /** May one value serve two secrets of the environment? Where there are no real values the word binds nothing. */
  readonly reuse: readonly Reuse[];
  readonly real_data: readonly RealData[];
  readonly audit_level: readonly AuditLevel[];
  readonly break_glass: 'optional' | 'required';
  /** Evidence of drills and of shipped audit; an age in days each, null where none is asked for. */
  readonly evidence: {
    readonly audit_shipped: boolean;
    readonly restore_drill_max_age_days: number | null;
    readonly break_glass_drill_max_age_days: number | null;
  };
}

/** Axis B, one level: what it may handle, and what it takes to get there. */
export interface LevelRow {
  readonly id: Maturity;
  readonly phase: string;
  /** The highest data class that a workload of this level may handle. */
  readonly handles: DataClass;
  readonly limits: string;
  readonly gate: readonly string[];
}

export interface DataClassRow {
  readonly id: DataClass;
  /** The maturity that the class demands of a workload, whatever the secret itself asks for. */
  readonly floor: Maturity;
}

export interface SecurityPosture {
  readonly version: 1;
  readonly postures: readonly PostureRow[];
  readonly levels: readonly LevelRow[];
  readonly data_classes: readonly DataClassRow[];
}

/**
 * The standard itself. Everything that judges posture reads this and nothing else; it is shipped as
 * examples/security-posture.yaml, byte for byte what `warden policy --yaml` prints. It is part of the program and
 * not of its configuration: whoever may edit a config file must not be able to lower a floor.
 */
export const SECURITY_POSTURE: SecurityPosture = {
  version: 1,
  postures: [
    {
      id: 'dev',
      about: 'offline, synthetic values from doubles, no real data ever',
      material: 'synthetic',
      backend: ['mock', 'contract-double'],
      unseal: ['none'],
      real_values: ['forbidden'],
      reuse: ['forbidden', 'allowed'],
      real_data: ['never'],
      audit_level: ['optional', 'on', 'tamper-evident'],
      break_glass: 'optional',
      evidence: { audit_shipped: false, restore_drill_max_age_days: null, break_glass_drill_max_age_days: null },
    },
    {
      id: 'test',
      about: 'values generated for test in a test store, no real data ever',
      material: 'test',
      backend: ['openbao-dev'],
      unseal: ['single-key', 'auto'],
      real_values: ['generated', 'generated-fresh'],
      reuse: ['forbidden', 'allowed'],
      real_data: ['never'],
      audit_level: ['on', 'tamper-evident'],
      break_glass: 'optional',
      evidence: { audit_shipped: false, restore_drill_max_age_days: null, break_glass_drill_max_age_days: null },
    },
    {
      id: 'prod',
      about: 'real values, generated fresh, in a sealed store with custody and drills',
      material: 'prod',
      backend: ['openbao-sealed'],
      unseal: ['shamir-3-of-5'],
      real_values: ['generated-fresh'],
      reuse: ['forbidden'],
      real_data: ['never', 'allowed'],
      audit_level: ['tamper-evident'],
      break_glass: 'required',
      evidence: { audit_shipped: true, restore_drill_max_age_days: 365, break_glass_drill_max_age_days: 180 },
    },
  ],
  levels: [
    { id: 'M0', phase: 'experimental, proof of concept', handles: 'synthetic', limits: 'synthetic only', gate: [] },
    {
      id: 'M1',
      phase: 'alpha, early access',
      handles: 'internal',
      limits: 'low criticality, loss acceptable; no confidential or restricted data',
      gate: ['friendly-customer scope agreed', 'basic SLO', 'data-handling note'],
    },
    {
      id: 'M2',
      phase: 'beta, general availability',
      handles: 'confidential',
      limits: 'up to confidential; SLOs; audited',
      gate: ['security review', 'SLO history', 'on-call', 'incident runbooks'],
    },
    {
      id: 'M3',
      phase: 'critical, regulated',
      handles: 'restricted',
      limits: 'restricted; break-glass; compliance',
      gate: ['pen-test', '3-of-5 custody', 'human-in-loop operations', 'compliance audit'],
    },
  ],
  data_classes: [
    { id: 'synthetic', floor: 'M0' },
    { id: 'public', floor: 'M1' },
    { id: 'internal', floor: 'M1' },
    { id: 'confidential', floor: 'M2' },
    { id: 'restricted', floor: 'M3' },
  ],
};

/** What an environment of this posture must be. */
export function postureRow(posture: EnvPosture): PostureRow {
  const row = SECURITY_POSTURE.postures.find(({ id }) => id === posture);
  if (row === undefined) throw new Error('the descriptor has a row for every posture');
  return row;
}
