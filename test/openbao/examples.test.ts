import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { desiredState } from '../../src/openbao/setup/desired.ts';
import { goodSettings, inventoryOf } from '../config/support.ts';

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../examples/openbao/${name}`, import.meta.url)), 'utf8');

test('the policy of the example is the one that setup makes for it', () => {
  const settings = goodSettings(read('warden.yaml'));
  const { openbao = null } = settings;
  if (openbao === null) throw new Error('the example has an openbao: block');
  const { actors, problems } = inventoryOf(read('inventory.yaml'));
  expect(problems).toEqual([]);
  const wanted = desiredState({
    ssh: openbao.ssh,
    login: openbao.login,
    actors: actors,
    hosts: [],
    ceilingsSeconds: settings.ttlCeilingsSeconds,
    reads: { paths: [], leased: false },
    name: 'warden',
  });
  const policy = wanted.find((one) => one.kind === 'policy');
  expect(policy?.kind === 'policy' && policy.text).toBe(read('policy.hcl'));
});
