import type { Check, JudgedFlow, ManifestPath } from './check.ts';
import { postureRow } from './descriptor.ts';
import { canDeliver, canRelease, refusalSentence, type Verdict } from './lattice.ts';
import type { Environment, Flow, Manifest, ManifestSecret, ManifestWorkload } from './manifest.ts';

/** The names of a manifest, each to its first bearer. */
export interface Names {
  readonly environments: ReadonlyMap<string, Environment>;
  readonly workloads: ReadonlyMap<string, ManifestWorkload>;
  readonly secrets: ReadonlyMap<string, ManifestSecret>;
}

export function namesOf(manifest: Manifest): Names {
  return {
    environments: firstOf(manifest.environments),
    workloads: firstOf(manifest.workloads),
    secrets: firstOf(manifest.secrets),
  };
}

/** Every flow by the rule of its tier: checks for people, and the verdicts themselves. */
export function judgeFlow(
  flow: Flow,
  index: number,
  names: Names,
): { readonly checks: Check[]; readonly flow: JudgedFlow } {
  const path: ManifestPath = ['flows', index];
  const about = `flow ${flow.secret} -> ${flow.workload}`;
  const secret = names.secrets.get(flow.secret);
  const workload = names.workloads.get(flow.workload);
  const from = secret && names.environments.get(secret.environment);
  const to = workload && names.environments.get(workload.environment);
  const references: Check[] = [
    resolves(about, [...path, 'secret'], 'secret', flow.secret, secret !== undefined),
    resolves(about, [...path, 'workload'], 'workload', flow.workload, workload !== undefined),
  ];
  const judged = { secret: flow.secret, workload: flow.workload, path };
  if (secret === undefined || workload === undefined || from === undefined || to === undefined) {
    return { checks: references, flow: { ...judged, release: null, deliver: null, conforms: false } };
  }
  const demand = { requiredMaturity: secret.required_maturity, dataClass: secret.data_class };
  const reached = { posture: to.posture, maturity: workload.maturity };
  const release = canRelease(demand, reached, postureRow(from.posture).material);
  const deliver = canDeliver(demand, reached);
  const stays = from.id === to.id;
  const checks: Check[] = [
    ...references,
    {
      rule: 'flow_within_environment',
      about,
      path,
      held: stays,
      message: stays
        ? `both are in environment ${from.id}`
        : `the secret is of environment ${from.id}, and the workload runs in ${to.id}`,
      mend: 'give the workload a secret of its own environment: a value never leaves the one it was generated for',
    },
    {
      rule: 'flow_lattice',
      about,
      path,
      held: release.permitted,
      message: refusalSentence(release) ?? permittedSentence(to, workload),
      mend: mendOf(release),
    },
  ];
  return { checks, flow: { ...judged, release, deliver, conforms: checks.every(({ held }) => held) } };
}

export function resolves(about: string, path: ManifestPath, kind: string, name: string, held: boolean): Check {
  return {
    rule: 'reference_resolves',
    about,
    path,
    held,
    message: held ? `there is a ${kind} ${name}` : `there is no ${kind} ${name} in the manifest`,
    mend: `add the ${kind}, or mend its name`,
  };
}

function mendOf({ clauses }: Verdict): string {
  return clauses.some(({ id, held }) => id === 'material' && !held)
    ? "let the flow start at a secret of the workload's own tier"
    : 'advance the workload through the gate of its next level, classify the secret anew with its owner, or do without it';
}

function permittedSentence({ posture }: Environment, { maturity }: ManifestWorkload): string {
  if (posture === 'dev') return 'the value is synthetic, as dev needs';
  if (posture === 'test') return `the value is of tier test, and ${maturity} is enough for it`;
  return `the workload is ${maturity} in prod, which is enough for it`;
}

function firstOf<Item extends { readonly id: string }>(items: readonly Item[]): ReadonlyMap<string, Item> {
  const map = new Map<string, Item>();
  for (const item of items) if (!map.has(item.id)) map.set(item.id, item);
  return map;
}
