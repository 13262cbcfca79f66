import { type EnvPosture, MATURITIES, type Maturity } from '../kernel/posture.ts';
import type { DataClass } from './data-class.ts';
import { type Material, SECURITY_POSTURE } from './descriptor.ts';

/** What a secret demands of whatever it flows to. */
export interface SecretDemand {
  readonly requiredMaturity: Maturity;
  readonly dataClass: DataClass;
}

/** What a secret would flow to: the tier it runs in (axis A) and how trusted it is (axis B). */
export interface Workload {
  readonly posture: EnvPosture;
  readonly maturity: Maturity;
}

export type ClauseId = 'posture' | 'required_maturity' | 'data_class_floor' | 'material';

/** One condition of the rule, with both sides of the comparison. */
export interface Clause {
  readonly id: ClauseId;
  readonly held: boolean;
  /** What the rule or the secret asks for. */
  readonly needed: string;
  /** What the workload or the store has. */
  readonly was: string;
}

export interface Verdict {
  readonly permitted: boolean;
  /** Every clause that was looked at, failed or not, in the order of the rule. */
  readonly clauses: readonly Clause[];
}

const UNKNOWN = 'unknown';

/**
 * The secret-flow lattice for real values: prod posture, and maturity at least what the secret asks for, and at
 * least the floor of its data class. Total: a word that it does not know holds for nothing.
 */
export function canDeliver(secret: SecretDemand, workload: Workload): Verdict {
  return verdict([
    clause('posture', workload.posture === 'prod', 'prod', workload.posture),
    ...maturity(secret, workload),
  ]);
}

/**
 * May a value of this material be released in the workload's tier? In prod that is `canDeliver` with a value of
 * prod; in test both maturity clauses with a value generated for test; in dev only what a double made up, whose
 * effective data class is synthetic whatever the secret of that name guards elsewhere. A value never crosses tiers.
 */
export function canRelease(secret: SecretDemand, workload: Workload, material: Material): Verdict {
  const row = SECURITY_POSTURE.postures.find(({ id }) => id === workload.posture);
  const needed = row?.material ?? UNKNOWN;
  const ofTier = clause('material', row !== undefined && needed === material, needed, material);
  if (workload.posture === 'prod') return verdict([...canDeliver(secret, workload).clauses, ofTier]);
  if (workload.posture === 'dev') return verdict([ofTier]);
  return verdict([ofTier, ...maturity(secret, workload)]);
}

/** The maturity that a data class demands; null for a word that is no class. */
export function floorOf(dataClass: DataClass): Maturity | null {
  return SECURITY_POSTURE.data_classes.find(({ id }) => id === dataClass)?.floor ?? null;
}

/** The higher of the two demands. */
export function demandOf({ requiredMaturity, dataClass }: SecretDemand): Maturity {
  const floor = floorOf(dataClass) ?? 'M3';
  return MATURITIES.indexOf(floor) > MATURITIES.indexOf(requiredMaturity) ? floor : requiredMaturity;
}

/** A failed clause as a sentence: what the workload has, and what the secret needs. Lower case, no full stop. */
export function clauseSentence({ id, held, needed, was }: Clause): string {
  switch (id) {
    case 'posture':
      return held
        ? `the workload runs in posture ${was}, as real values need`
        : `the workload runs in posture ${was}, and real values flow in posture ${needed} only`;
    case 'required_maturity':
      return held
        ? `the workload is ${was}, and the secret requires ${needed}`
        : `the workload is ${was}, below the ${needed} that the secret requires`;
    case 'data_class_floor':
      return held
        ? `the workload is ${was}, and the data class of the secret requires ${needed}`
        : `the workload is ${was}, below the ${needed} that the data class of the secret requires`;
    case 'material':
      return held
        ? `the value is of tier ${was}, as the posture of the workload needs`
        : `the value is of tier ${was}, and in the posture of the workload only values of tier ${needed} flow`;
  }
}

/** Why a verdict refuses: every failed clause in one sentence; null where it permits. */
export function refusalSentence({ clauses }: Verdict): string | null {
  const failed = clauses.filter(({ held }) => !held).map(clauseSentence);
  return failed.length === 0 ? null : failed.join('; ');
}

function maturity({ requiredMaturity, dataClass }: SecretDemand, workload: Workload): Clause[] {
  const floor = floorOf(dataClass);
  return [
    clause('required_maturity', reaches(workload.maturity, requiredMaturity), requiredMaturity, workload.maturity),
    clause(
      'data_class_floor',
      floor !== null && reaches(workload.maturity, floor),
      floor ?? UNKNOWN,
      workload.maturity,
    ),
  ];
}

function reaches(has: Maturity, needs: Maturity): boolean {
  const need = MATURITIES.indexOf(needs);
  return need !== -1 && MATURITIES.indexOf(has) >= need;
}

function clause(id: ClauseId, held: boolean, needed: string, was: string): Clause {
  return { id, held, needed, was };
}

function verdict(clauses: readonly Clause[]): Verdict {
  return { permitted: clauses.every(({ held }) => held), clauses };
}
