import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startFlexAuthDouble } from '../../src/doubles/flex-auth-server.ts';
import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { warden } from '../support/cli.ts';
import { makeHouse, startDaemon } from '../support/daemon.ts';
import { devServer } from '../support/openbao.ts';
import { readLedger } from './ledger.ts';
import { Cleanups, furnish } from './support.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

const OPTIONS = { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: [] } as const;
const ACTOR = {
  name: 'agt-test',
  type: 'agt',
  principals: ['agt-test'],
  ttlSeconds: 3600,
  maxTtlSeconds: 86_400,
  maturity: 'M0',
  tenant: 'tenant:platform',
  allowedSubjects: ['agt-test', 'iam:agt-test'],
  callers: null,
  options: OPTIONS,
  openbaoRole: null,
} as const;

/** A gate that knows agt-test, and a daemon behind it with this backend. */
async function gated(posture: 'dev' | 'test', backend: (files: Map<string, string>) => Promise<string>) {
  const house = makeHouse();
  cleanups.add(house.remove);
  const registry = join(house.folder, 'registry.json');
  await writeFile(
    registry,
    formatRegistry(buildRegistry({ actors: [ACTOR], tenant: 'tenant:platform', system: 'ops-warden' })),
  );
  const gate = await startFlexAuthDouble({ addr: '127.0.0.1:0', registryFile: registry });
  cleanups.add(() => gate.close());
  const files = new Map<string, string>();
  const lines = await backend(files);
  files.set(
    'warden.yaml',
    `version: 1\nposture: ${posture}\n${lines}policy: { enabled: true, flex_auth_url: "${gate.address}" }\n`,
  );
  files.set(
    'inventory.yaml',
    'version: 1\nactors:\n  - { name: agt-test, type: agt, principals: [agt-test], ttl_hours: 1, max_ttl_hours: 24 }\n',
  );
  for (const [name, text] of files) await writeFile(join(house.config, name), text, { mode: 0o600 });
  const daemon = await startDaemon({ house });
  cleanups.add(() => daemon.stop());
  return {
    house,
    smoke: (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      warden(['smoke', 'policy', '--actor', 'agt-test', ...args, '--socket', house.socket], { cwd: house.folder, env }),
  };
}

describe('$ warden smoke policy --openbao', () => {
  test('gets its allow from real OpenBao, its deny from the gate, and both are in the ledger under one smoke id', async () => {
    const bao = await devServer();
    cleanups.add(bao.stop);
    const { house, smoke } = await gated('test', async (files) => {
      const { roleId, secretId, caKey } = await furnish(bao);
      files.set('role_id', roleId).set('secret_id', secretId).set('ca.pub', caKey);
      const login = 'login: { method: approle, role_id_file: role_id, secret_id_file: secret_id }';
      return `backend: openbao\nopenbao: { address: "${bao.address}", ${login} }\n`;
    });
    const result = await smoke(['--openbao']);
    expect(result.code, result.stdout + result.stderr).toBe(0);
    const [allow, deny] = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(allow).toMatchObject({ effect: 'allow', backend: 'openbao', certificate_issued: true });
    expect(deny).toMatchObject({ effect: 'deny', reason: 'ttl_out_of_bounds', certificate_issued: false });
    const records = (await readLedger(house.state)).filter(({ kind }) => kind === 'sign');
    expect(records.map(({ smoke_id }) => smoke_id)).toEqual([allow.smoke_id, deny.smoke_id]);
    expect(records.map(({ policy_decision_id: id }) => id)).toEqual([
      allow.policy_decision_id,
      deny.policy_decision_id,
    ]);
  });

  test.each([
    ['by the flag', ['--openbao'], {}],
    ['by SMOKE_VAULT=1', [], { SMOKE_VAULT: '1' }],
  ] as const)('is unusable where OpenBao does not sign: wanted %s', async (_how, args, env) => {
    const { smoke } = await gated('dev', async () => '');
    const result = await smoke(args, env);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('certificates come from the local backend here, not from OpenBao');
  });
});
