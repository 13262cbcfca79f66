import type { Check } from './check.ts';
import type { Environment, Manifest, ManifestSecret } from './manifest.ts';

/**
 * Values are generated for their tier and stay there: no material in two environments, and twice in one only in
 * test, where the environment says that it allows reuse. One check a secret for each rule.
 */
export function checkReuse(manifest: Manifest): Check[] {
  const environments = new Map(manifest.environments.map((environment) => [environment.id, environment]));
  const users = new Map<string, { readonly id: string; readonly environment: string }[]>();
  for (const secret of manifest.secrets) {
    const known = users.get(secret.material_id);
    if (known === undefined) users.set(secret.material_id, [secret]);
    else known.push(secret);
  }
  return manifest.secrets.flatMap((secret, index) => {
    const same = (users.get(secret.material_id) ?? []).filter((user) => user !== secret);
    return [
      acrossEnvironments(secret, index, same),
      withinEnvironment(secret, index, same, environments.get(secret.environment)),
    ];
  });
}

type User = { readonly id: string; readonly environment: string };

function acrossEnvironments(secret: ManifestSecret, index: number, same: readonly User[]): Check {
  const others = [...new Set(same.map((user) => user.environment))].filter((name) => name !== secret.environment);
  return {
    rule: 'material_across_environments',
    about: `secret ${secret.id}`,
    path: ['secrets', index, 'material_id'],
    held: others.length === 0,
    message:
      others.length === 0
        ? `its value is in environment ${secret.environment} only`
        : `its value is in environment ${secret.environment} and in ${listed(others)} too`,
    mend: 'promote names, never values: generate a value of its own for each environment',
  };
}

function withinEnvironment(
  secret: ManifestSecret,
  index: number,
  same: readonly User[],
  environment: Environment | undefined,
): Check {
  const sharers = same.filter((user) => user.environment === secret.environment).map(({ id }) => id);
  const allowed = environment?.posture === 'test' && environment.reuse === 'allowed';
  const held = sharers.length === 0 || allowed;
  return {
    rule: 'material_within_environment',
    about: `secret ${secret.id}`,
    path: ['secrets', index, 'material_id'],
    held,
    message:
      sharers.length === 0
        ? 'its value serves no other secret'
        : `its value serves ${listed(sharers)} too${allowed ? ', as its test environment allows' : ''}`,
    mend: 'generate a value for each secret; only a test environment with reuse: allowed may share one',
  };
}

const SHOWN = 5;

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${more} more` : names.join(', ');
}
