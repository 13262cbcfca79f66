import type { EnvPosture, Maturity } from '../kernel/posture.ts';
import type { DataClass } from './data-class.ts';
import type { AuditLevel, Backend, RealData, RealValues, Reuse, Unseal } from './descriptor.ts';

/** Metadata of environments, workloads, secrets and flows: names, never a value. Keys as in the file. */
export interface Manifest {
  readonly environments: readonly Environment[];
  readonly workloads: readonly ManifestWorkload[];
  readonly secrets: readonly ManifestSecret[];
  readonly flows: readonly Flow[];
}

export interface Environment {
  readonly id: string;
  readonly posture: EnvPosture;
  readonly backend: Backend;
  readonly unseal: Unseal;
  readonly real_values: RealValues;
  readonly reuse: Reuse;
  readonly real_data: RealData;
  readonly audit: {
    readonly level: AuditLevel;
    readonly shipped_to: string | null;
    /** `2026-09-01`, a day in UTC. */
    readonly last_restore_drill: string | null;
    readonly last_break_glass_drill: string | null;
  };
  readonly break_glass: boolean;
}

export interface ManifestWorkload {
  readonly id: string;
  readonly environment: string;
  readonly maturity: Maturity;
}

export interface ManifestSecret {
  readonly id: string;
  readonly environment: string;
  readonly required_maturity: Maturity;
  readonly data_class: DataClass;
  /** A name for the value, the same wherever the same value is used. Never derived from it. */
  readonly material_id: string;
}

export interface Flow {
  readonly secret: string;
  readonly workload: string;
}
