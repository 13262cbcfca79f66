import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadPolicyEvaluator } from '../../src/policy/cedar-evaluator.ts';
import { indexRegistry } from '../../src/policy/registry-index.ts';
import { SYNTHETIC_POLICY_PACKAGE } from '../../src/policy/synthetic-policy-package.ts';
import { formatCerbosRegistry } from '../../src/registry/cerbos.ts';
import { checkRegistryFile } from '../../src/registry/check.ts';
import { parseFixtures } from '../../src/registry/fixtures.ts';
import { formatResourceManifest, formatSubjectManifest } from '../../src/registry/manifests.ts';
import { parseRegistry } from '../../src/registry/parse.ts';
import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { examples, PLATFORM, readInventory } from './read-inventory.ts';

const flexAuth = new URL('flex-auth/', examples);
const read = (name: string): string => readFileSync(new URL(name, flexAuth), 'utf8');
const registryOf = (inventory: string) => buildRegistry({ ...PLATFORM, actors: readInventory(inventory) });

const update = process.env.UPDATE_EXAMPLES === '1';

/** The committed bytes are what is built now. UPDATE_EXAMPLES=1 writes them instead, for a deliberate change. */
function expectBytes(name: string, built: string): void {
  if (update) writeFileSync(new URL(name, flexAuth), built);
  expect(read(name)).toBe(built);
}

function moduleOf(markdown: string): string {
  const literal = markdown.replace(/[\\`]|\$\{/g, '\\$&');
  return `/**
 * examples/flex-auth/policy_package.md, carried inside the bundle so that the dev posture needs no file beside it.
 * A test keeps the two equal: \`UPDATE_EXAMPLES=1 npx vitest run test/registry\` writes this one anew.
 */
export const SYNTHETIC_POLICY_PACKAGE = \`${literal}\`;\n`;
}

describe('the shipped examples are what the code builds, byte for byte', () => {
  const registry = registryOf('flex-auth/inventory.yaml');
  it('registry_snapshot.json comes from inventory.yaml', () => {
    expectBytes('registry_snapshot.json', formatRegistry(registry));
  });
  it('production_registry_snapshot.json comes from production_inventory.yaml', () => {
    expectBytes('production_registry_snapshot.json', formatRegistry(registryOf('flex-auth/production_inventory.yaml')));
  });
  it('subject_manifest.yaml holds the same entries', () => {
    expectBytes('subject_manifest.yaml', formatSubjectManifest(registry));
  });
  it('resource_manifest.yaml holds the same entries', () => {
    expectBytes('resource_manifest.yaml', formatResourceManifest(registry));
  });
  it('the registry for Cerbos holds the entries of the production snapshot', () => {
    const registry = parseRegistry(read('production_registry_snapshot.json'));
    expectBytes('../cerbos/policies/registry.yaml', formatCerbosRegistry(registry));
  });
  it('the policy package inside the daemon is the one that is shipped', () => {
    const markdown = read('policy_package.md');
    if (update)
      writeFileSync(new URL('../../src/policy/synthetic-policy-package.ts', import.meta.url), moduleOf(markdown));
    expect(SYNTHETIC_POLICY_PACKAGE).toBe(markdown);
  });
});

describe('the production snapshot is the one that the runbook names', () => {
  it('registers four actors with their principals, maxima and subjects', () => {
    const rows = parseRegistry(read('production_registry_snapshot.json')).resources.map(({ id, attributes: a }) => [
      id,
      a.actor_type,
      a.principals,
      a.max_ttl_hours,
      a.allowed_subjects,
    ]);
    const both = (name: string) => [name, `iam:${name}`];
    expect(rows).toEqual([
      ['ssh-cert:actor/adm-example', 'adm', ['adm-full'], 48, both('adm-example')],
      [
        'ssh-cert:actor/agt-codex-interhub-bootstrap',
        'agt',
        ['agt-interhub-bootstrap'],
        2,
        both('agt-codex-interhub-bootstrap'),
      ],
      ['ssh-cert:actor/agt-state-hub-bridge', 'agt', ['agt-task-bridge'], 24, both('agt-state-hub-bridge')],
      ['ssh-cert:actor/atm-backup-daily', 'atm', ['atm-backup-daily'], 8, both('atm-backup-daily')],
    ]);
  });
  it('has no drift against its inventory', () => {
    const actors = readInventory('flex-auth/production_inventory.yaml');
    expect(checkRegistryFile(read('production_registry_snapshot.json'), { ...PLATFORM, actors })).toEqual({
      exit: 0,
      findings: [],
    });
  });
});

describe('every fixture that the seed names passes', () => {
  const fixtures = parseFixtures(read('policy_fixtures.yaml'));
  it('all eight are there', () => {
    expect(fixtures.map((fixture) => fixture.name)).toEqual([
      'fixture:ops-warden-adm-sign-allow',
      'fixture:ops-warden-agt-sign-allow',
      'fixture:ops-warden-atm-sign-allow',
      'fixture:ops-warden-unknown-subject-deny',
      'fixture:ops-warden-actor-type-mismatch-deny',
      'fixture:ops-warden-ttl-above-max-deny',
      'fixture:ops-warden-disallowed-principal-deny',
      'fixture:ops-warden-missing-fingerprint-deny',
    ]);
  });
  it.each(fixtures)('$name', async ({ request, expect: expected }) => {
    const evaluator = await loadPolicyEvaluator(read('policy_package.md'));
    const index = indexRegistry(parseRegistry(read('registry_snapshot.json')));
    expect(evaluator.evaluate(request, index)).toEqual(expected);
  });
});
