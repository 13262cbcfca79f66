import { type EnvPosture, POSTURES } from '../kernel/posture.ts';
import type { Check } from './check.ts';
import { checkConformance } from './conformance.ts';
import { postureRow } from './descriptor.ts';
import type { DrillRules } from './environment-checks.ts';
import type { Environment, Manifest } from './manifest.ts';

export type StepId =
  | 'one_tier_up'
  | 'regenerated_material'
  | 'unseal_model'
  | 'break_glass'
  | 'conformance'
  | 'sign_off'
  | 'references';

/** One line of the ceremony's list. */
export interface Step {
  readonly id: StepId;
  readonly what: string;
  /** Null: not judged yet, for lack of a manifest. */
  readonly held: boolean | null;
  readonly message: string;
}

export interface Ceremony {
  readonly from: EnvPosture;
  readonly to: EnvPosture;
  readonly manifest: Manifest | null;
  /** Of the environment that is promoted to; null where it is not in the manifest, or there is no manifest. */
  readonly environment: Environment | null;
  readonly drills: DrillRules;
  /** The person who signs off, by name; null where nobody did. */
  readonly signedOffBy: string | null;
  /** The ceremony's documents. */
  readonly references: readonly string[];
}

/** dev -> test -> prod: one step up at a time, and none down. */
export function isOneTierUp(from: EnvPosture, to: EnvPosture): boolean {
  return POSTURES.indexOf(to) === POSTURES.indexOf(from) + 1;
}

/** The ceremony's list, each line judged by the manifest. What only people can do is what they sign for. */
export function ceremonySteps(ceremony: Ceremony): Step[] {
  const { from, to, signedOffBy, references } = ceremony;
  const up = isOneTierUp(from, to);
  return [
    {
      id: 'one_tier_up',
      what: 'the promotion goes one tier up',
      held: up,
      message: up ? `from ${from} to ${to}` : `from ${from} to ${to} is none: dev goes to test, test to prod`,
    },
    ...judged(ceremony),
    {
      id: 'sign_off',
      what: 'a person signs off',
      held: signedOffBy !== null,
      message: signedOffBy === null ? 'nobody signed off' : `signed off by ${signedOffBy}`,
    },
    {
      id: 'references',
      what: "the ceremony's documents are referred to",
      held: references.length > 0,
      message: references.length === 0 ? 'no document is named' : references.join(', '),
    },
  ];
}

const TITLES = {
  regenerated_material: 'every secret was generated anew for the tier',
  unseal_model: "the store is unsealed by the tier's model",
  break_glass: 'break-glass is enabled and drilled',
  conformance: 'the environment conforms in everything else',
} as const;

function judged(ceremony: Ceremony): Step[] {
  const { manifest, environment, from, to, drills } = ceremony;
  const ids = Object.keys(TITLES) as (keyof typeof TITLES)[];
  if (manifest === null) return ids.map((id) => ({ id, what: TITLES[id], held: null, message: 'give a manifest' }));
  if (environment === null) {
    return ids.map((id) => ({
      id,
      what: TITLES[id],
      held: false,
      message: `the manifest has no ${to} environment to judge`,
    }));
  }
  const checks = checkConformance(manifest, drills).checks;
  const mine = checks.filter((check) => belongs(check, manifest, environment));
  const of = (...rules: Check['rule'][]): Check[] => mine.filter(({ rule }) => rules.includes(rule));
  const material = of('material_across_environments', 'environment_real_values', 'environment_reuse');
  const unseal = of('environment_backend', 'environment_unseal');
  const breakGlass = of('environment_break_glass', 'break_glass_drill');
  const rest = mine.filter((check) => ![...material, ...unseal, ...breakGlass].includes(check));
  const before = manifest.environments.some(({ posture }) => posture === from);
  return [
    before
      ? step('regenerated_material', material, `no value of ${environment.id} is in another environment`)
      : failed('regenerated_material', `the manifest has no ${from} environment to compare values with`),
    step('unseal_model', unseal, `${environment.backend}, ${environment.unseal}`),
    step(
      'break_glass',
      breakGlass,
      postureRow(to).break_glass === 'required' ? 'enabled and drilled' : `not asked of ${to}`,
    ),
    step('conformance', rest, `${rest.length} checks hold`),
  ];
}

/** Checks on the environment itself, on its secrets and workloads, and on flows of either. */
function belongs({ path }: Check, manifest: Manifest, environment: Environment): boolean {
  const [list, index] = path;
  if (typeof index !== 'number') return false;
  if (list === 'environments') return manifest.environments[index]?.id === environment.id;
  if (list === 'secrets') return manifest.secrets[index]?.environment === environment.id;
  if (list === 'workloads') return manifest.workloads[index]?.environment === environment.id;
  const flow = manifest.flows[index];
  const home = (
    id: string | undefined,
    items: readonly { readonly id: string; readonly environment: string }[],
  ): boolean => items.some((item) => item.id === id && item.environment === environment.id);
  return home(flow?.secret, manifest.secrets) || home(flow?.workload, manifest.workloads);
}

function step(id: keyof typeof TITLES, checks: readonly Check[], fine: string): Step {
  const wrong = checks.filter(({ held }) => !held);
  const [first] = wrong;
  if (first === undefined) return { id, what: TITLES[id], held: true, message: fine };
  const more = wrong.length > 1 ? `, and ${wrong.length - 1} more` : '';
  return failed(id, `${first.about}: ${first.message}${more}`);
}

function failed(id: keyof typeof TITLES, message: string): Step {
  return { id, what: TITLES[id], held: false, message };
}
