import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkFolder } from '../../src/config/check.ts';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { configFolder, facts } from '../config/support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = (path: string): string => readFileSync(join(root, 'examples', path), 'utf8');

test('the example catalogue is valid beside the production example, without a warning', async () => {
  const dir = configFolder({
    'warden.yaml': example('config/prod/warden.yaml'),
    'inventory.yaml': example('config/prod/inventory.yaml'),
    'routes.yaml': example('routes/routes.yaml'),
  });
  const result = await checkFolder(dir, { parser: inProcessParser(() => facts) });
  expect(result.problems).toEqual([]);
  expect(result.warnings).toEqual([]);
  expect([...(result.snapshot?.routes.keys() ?? [])]).toEqual([
    'npm-publish',
    'hub-db-reader',
    'backup-key',
    'key-cape-login',
  ]);
});

test('a route for an actor who is not in the inventory is a warning with its place', async () => {
  const dir = configFolder({
    'warden.yaml': 'version: 1\nposture: test\n',
    'inventory.yaml': 'version: 1\n',
    'routes.yaml': example('routes/routes.yaml'),
  });
  const { problems, warnings } = await checkFolder(dir, { parser: inProcessParser(() => facts) });
  expect(problems).toEqual([]);
  expect(warnings).toEqual([
    'routes.yaml:18:14: a route is for agt-state-hub-bridge, who is not in inventory.yaml',
    'routes.yaml:18:36: a route is for adm-example, who is not in inventory.yaml',
  ]);
});
