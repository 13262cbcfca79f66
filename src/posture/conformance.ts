import type { Check, Conformance } from './check.ts';
import { postureRow } from './descriptor.ts';
import { checkEnvironment, type DrillRules } from './environment-checks.ts';
import { judgeFlow, type Names, namesOf, resolves } from './flow-checks.ts';
import type { Manifest } from './manifest.ts';
import { checkReuse } from './reuse-checks.ts';

/** How old a drill of a prod environment may be where nothing else is asked for, in days. */
export const DRILL_AGES = {
  restoreDrillMaxAgeDays: postureRow('prod').evidence.restore_drill_max_age_days ?? 0,
  breakGlassDrillMaxAgeDays: postureRow('prod').evidence.break_glass_drill_max_age_days ?? 0,
} as const;

/** Everything the standard asserts about a manifest, in the order of the file. Reads nothing, changes nothing. */
export function checkConformance(manifest: Manifest, drills: DrillRules): Conformance {
  const names = namesOf(manifest);
  const flows = manifest.flows.map((flow, index) => judgeFlow(flow, index, names));
  const checks = [
    ...checkIds(manifest),
    ...manifest.environments.flatMap((environment, index) => checkEnvironment(environment, index, drills)),
    ...checkHomes(manifest, names),
    ...checkReuse(manifest),
    ...checkDev(manifest, names),
    ...flows.flatMap((judged) => judged.checks),
  ];
  return { conforms: checks.every(({ held }) => held), checks, flows: flows.map(({ flow }) => flow) };
}

/** Only ids that stand twice are worth a line: the rest of them would be a check that nobody reads. */
function checkIds(manifest: Manifest): Check[] {
  return (['environments', 'workloads', 'secrets'] as const).flatMap((list) => {
    const seen = new Set<string>();
    return manifest[list].flatMap(({ id }, index): Check[] => {
      const held = !seen.has(id);
      seen.add(id);
      if (held) return [];
      const about = `${list.slice(0, -1)} ${id}`;
      const message = `${id} stands twice in ${list}`;
      return [
        { rule: 'id_once', about, path: [list, index, 'id'], held, message, mend: 'give each entry an id of its own' },
      ];
    });
  });
}

function checkHomes(manifest: Manifest, names: Names): Check[] {
  return (['workloads', 'secrets'] as const).flatMap((list) =>
    manifest[list].map(({ id, environment }, index) =>
      resolves(
        `${list.slice(0, -1)} ${id}`,
        [list, index, 'environment'],
        'environment',
        environment,
        names.environments.has(environment),
      ),
    ),
  );
}

/** Dev touches no real data: what a secret opens there is synthetic too. */
function checkDev(manifest: Manifest, names: Names): Check[] {
  return manifest.secrets.flatMap((secret, index): Check[] => {
    if (names.environments.get(secret.environment)?.posture !== 'dev') return [];
    const held = secret.data_class === 'synthetic';
    return [
      {
        rule: 'dev_is_synthetic',
        about: `secret ${secret.id}`,
        path: ['secrets', index, 'data_class'],
        held,
        message: held
          ? 'what it opens in dev is synthetic'
          : `it opens ${secret.data_class} data in dev, where all data is synthetic`,
        mend: 'let dev hold synthetic data only, then say data_class: synthetic',
      },
    ];
  });
}
