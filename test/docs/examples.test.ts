import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The test that loads each example, and so keeps it true. */
const LOADED_BY: Readonly<Record<string, string>> = {
  'cerbos/cerbos.yaml': 'test/contract/cerbos-server.ts',
  'cerbos/policies/registry.yaml': 'test/registry/examples.test.ts',
  'cerbos/policies/ssh_certificate.yaml': 'test/contract/cerbos-server.ts',
  'config/dev/inventory.yaml': 'test/config/docs.test.ts',
  'config/dev/warden.yaml': 'test/config/docs.test.ts',
  'config/prod/inventory.yaml': 'test/config/docs.test.ts',
  'config/prod/warden.yaml': 'test/config/docs.test.ts',
  'flex-auth/inventory.yaml': 'test/registry/examples.test.ts',
  'flex-auth/policy_fixtures.yaml': 'test/registry/examples.test.ts',
  'flex-auth/policy_package.md': 'test/registry/examples.test.ts',
  'flex-auth/production_inventory.yaml': 'test/registry/examples.test.ts',
  'flex-auth/production_registry_snapshot.json': 'test/registry/examples.test.ts',
  'flex-auth/registry_snapshot.json': 'test/registry/examples.test.ts',
  'flex-auth/resource_manifest.yaml': 'test/registry/examples.test.ts',
  'flex-auth/subject_manifest.yaml': 'test/registry/examples.test.ts',
  'mcp/client.json': 'test/mcp/mcp.test.ts',
  'openbao/inventory.yaml': 'test/openbao/examples.test.ts',
  'openbao/policy.hcl': 'test/openbao/examples.test.ts',
  'openbao/warden.yaml': 'test/openbao/examples.test.ts',
  'posture-conformance.example.yaml': 'test/posture/cli.test.ts',
  'routes/routes.yaml': 'test/access/examples.test.ts',
  'security-posture.yaml': 'test/posture/descriptor.test.ts',
};

const folder = join(root, 'examples');
// README files are for people; test/docs/links.test.ts and commands-named.test.ts read them.
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== 'README.md')
  .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  .sort();

describe('every file in examples/ is loaded by a test', () => {
  test.each(files)('%s', (file) => {
    const loader = LOADED_BY[file];
    expect(loader, 'load it in a test, and name that test here').toBeDefined();
    expect(readFileSync(join(root, loader ?? ''), 'utf8')).toContain(basename(file));
  });

  test('none is listed that is not there', () => {
    expect(Object.keys(LOADED_BY).filter((file) => !files.includes(file))).toEqual([]);
  });
});
