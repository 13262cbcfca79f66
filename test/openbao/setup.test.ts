import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secretValue } from '../support/canary.ts';
import { json, warden } from '../support/cli.ts';
import { makeHouse, startDaemon } from '../support/daemon.ts';
import { type Api, apiOf, devServer, type RealServer } from '../support/openbao.ts';
import { sshKeygenOk } from '../support/ssh-keygen.ts';
import { readLedger } from './ledger.ts';
import { Cleanups } from './support.ts';

// One story in order, against the real OpenBao: nothing there, a look, everything made, a second run, a real daemon.
const cleanups = new Cleanups();
const house = makeHouse();
let real: RealServer;
const bao = join(house.config, 'bao');
const file = (name: string): string => join(bao, name);

const inventory = (uid: number): string => `version: 1
actors:
  - { name: adm-tester, type: adm, principals: [tester, root], ttl_hours: 8, max_ttl_hours: 24, callers: [{ uid: ${uid} }] }
  - { name: agt-test, type: agt, principals: [agt-test, agt-other], ttl_hours: 1, max_ttl_hours: 8, callers: [{ uid: ${uid} }] }
  - { name: agt-own, type: agt, principals: [agt-own], ttl_hours: 1, max_ttl_hours: 2, openbao_role: own, callers: [{ uid: ${uid} }] }
`;
const settings = (address: string): string => `version: 1
posture: test
backend: openbao
openbao:
  address: ${address}
  tier: test
  login: { method: approle, role_id_file: bao/role_id, secret_id_file: bao/secret_id }
  ssh: { ca_public_key: bao/ca.pub }
`;

beforeAll(async () => {
  real = await devServer();
  cleanups.add(real.stop);
  cleanups.add(house.remove);
  await writeFile(join(house.config, 'warden.yaml'), settings(real.address), { mode: 0o600 });
  await writeFile(join(house.config, 'inventory.yaml'), inventory(process.getuid?.() ?? 0), { mode: 0o600 });
});
afterAll(() => cleanups.run());

const setup = (args: readonly string[], env: Record<string, string> = { BAO_TOKEN: real.rootToken }) =>
  warden(['openbao', 'setup', '--config', house.config, ...args], { cwd: house.folder, env });
const actions = async (args: readonly string[]) => {
  const { changes, files } = json(await setup([...args, '--json'])) as {
    changes: { what: string; action: string }[];
    files: { what: string; action: string }[];
  };
  return Object.fromEntries([...changes, ...files].map(({ what, action }) => [what, action]));
};
const role = (name: string) => real.ok('GET', `ssh/roles/${name}`);

test.each<[string, string[], Record<string, string>, number, string]>([
  ['without a word on what to do', [], { BAO_TOKEN: 'x' }, 2, 'wants either --dry-run or --apply'],
  ['with both words', ['--apply', '--dry-run'], { BAO_TOKEN: 'x' }, 2, 'wants either --dry-run or --apply'],
  ['without a token', ['--apply'], {}, 2, 'no OpenBao token of yours was found'],
  [
    'with an empty BAO_TOKEN, which means none',
    ['--apply'],
    { BAO_TOKEN: '', VAULT_TOKEN: 'x' },
    2,
    'no OpenBao token',
  ],
  ['with a bad token', ['--dry-run'], { BAO_TOKEN: 's.bad' }, 1, 'OpenBao does not take your token'],
  ['with a strange name', ['--dry-run', '--name', '../x'], { BAO_TOKEN: 'x' }, 2, '--name is no name'],
])('%s it refuses and says why', async (_name, args, env, code, message) => {
  const result = await setup(args, env);
  expect([result.code, result.stdout]).toEqual([code, '']);
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toContain('s.bad');
});

test('a look prints everything that is to be made, and makes nothing', async () => {
  const { code, stdout } = await setup(['--dry-run']);
  expect(code).toBe(0);
  expect(stdout).toContain('+ ssh engine at ssh/\n+ CA key of ssh/\n');
  expect(stdout).toContain('+ role ssh/roles/agt\n');
  expect(stdout).toContain('      allowed_users: agt-other,agt-test\n');
  expect(stdout).toContain('      path "ssh/sign/own" {');
  expect(stdout).toContain('12 to make, 0 to change, 0 as they should be, 0 in conflict');
  expect((await real.call('GET', 'sys/mounts/ssh')).status).toBe(400);
  await expect(stat(file('ca.pub'))).rejects.toThrow();
});

test('a look without a token shows all that is needed, and says that it was compared with nothing', async () => {
  const [look, compared] = [await setup(['--dry-run'], {}), await setup(['--dry-run'])];
  expect([look.code, look.stdout.split('\n').filter((line) => line.startsWith('+'))]).toEqual([
    0,
    compared.stdout.split('\n').filter((line) => line.startsWith('+')),
  ]);
  expect(`${look.stdout}${look.stderr}`).toContain('compared with nothing that is there');
  expect(`${compared.stdout}${compared.stderr}`).not.toContain('compared with nothing');
  expect(json(await setup(['--dry-run', '--json'], {}))).toMatchObject({ compared: false, applied: false });
});

test('a file that is in conflict stops it before anything is made', async () => {
  await mkdir(bao, { mode: 0o700 });
  await writeFile(file('ca.pub'), `ssh-ed25519 ${'A'.repeat(68)} of-another-ca\n`, { mode: 0o644 });
  const { code, stdout } = await setup(['--apply']);
  expect([code, stdout]).toEqual([1, expect.stringContaining('11 to make, 0 to change')]);
  expect(stdout).toContain('1 in conflict');
  expect((await real.call('GET', 'sys/mounts/ssh')).status).toBe(400);
  await rm(bao, { recursive: true });
});

test('files that cannot be written stop it before anything is made', async () => {
  const yaml = settings(real.address).replaceAll('bao/', 'no/such/folder/');
  await writeFile(join(house.config, 'warden.yaml'), yaml, { mode: 0o600 });
  const { code, stderr } = await setup(['--apply']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('there is no such folder')]);
  expect((await real.call('GET', 'sys/mounts/ssh')).status).toBe(400);
  await writeFile(join(house.config, 'warden.yaml'), settings(real.address), { mode: 0o600 });
});

test('applied, all of it is there, least of privilege, and no secret was printed', async () => {
  const result = await setup(['--apply']);
  expect(result.code, result.stderr).toBe(0);
  expect(await role('agt')).toMatchObject({
    allow_user_certificates: true,
    allow_host_certificates: false,
    allow_user_key_ids: true,
    allow_empty_principals: false,
    allowed_users: 'agt-other,agt-test',
    allowed_critical_options: 'force-command,source-address,verify-required',
    allowed_extensions: '',
    default_extensions: {},
    max_ttl: 8 * 3600,
  });
  expect(await role('adm')).toMatchObject({
    allowed_users: 'root,tester',
    allowed_extensions: 'permit-agent-forwarding,permit-port-forwarding,permit-pty',
    max_ttl: 24 * 3600,
  });
  expect(await role('own')).toMatchObject({ allowed_users: 'agt-own', max_ttl: 2 * 3600 });
  // A type without actors has a role that signs for nobody.
  expect(await role('atm')).toMatchObject({ allowed_users: '' });
  const [roleId, secretId, pinned] = await Promise.all(
    ['role_id', 'secret_id', 'ca.pub'].map((name) => readFile(file(name), 'utf8')),
  );
  const { public_key: key } = await real.ok('GET', 'ssh/config/ca');
  expect(pinned).toBe(`${String(key).trim()} openbao ssh\n`);
  for (const name of ['role_id', 'secret_id']) expect((await stat(file(name))).mode & 0o777).toBe(0o600);
  for (const secret of [roleId, secretId, real.rootToken]) {
    expect(result.stdout + result.stderr).not.toContain(secret?.trim());
  }
});

test('the second time there is nothing to do, and the CA is the same', async () => {
  const before = await readFile(file('ca.pub'), 'utf8');
  const secretBefore = await readFile(file('secret_id'), 'utf8');
  const found = await actions(['--apply']);
  expect(new Set(Object.values(found))).toEqual(new Set(['keep']));
  expect(await readFile(file('ca.pub'), 'utf8')).toBe(before);
  expect(await readFile(file('secret_id'), 'utf8')).toBe(secretBefore);
});

test('what somebody changed is shown, field by field, and put right', async () => {
  await real.ok('POST', 'ssh/roles/agt', {
    ...(await role('agt')),
    allow_user_key_ids: false,
    default_extensions: { 'permit-pty': '' },
    allowed_users: '*',
  });
  const look = await setup(['--dry-run']);
  expect(look.stdout).toContain('~ role ssh/roles/agt\n');
  expect(look.stdout).toContain('      allow_user_key_ids: false -> true\n');
  expect(look.stdout).toContain('      allowed_users: * -> agt-other,agt-test\n');
  expect(look.stdout).toContain('      default_extensions: {"permit-pty":""} -> none\n');
  await setup(['--apply']);
  expect(await role('agt')).toMatchObject({ allow_user_key_ids: true, default_extensions: {} });
  expect((await actions(['--dry-run']))['role ssh/roles/agt']).toBe('keep');
});

test('a daemon signs with it, within its roles, and the ledger names the request in OpenBao', async () => {
  const daemon = await startDaemon({ house });
  cleanups.add(() => daemon.stop());
  await keyPair();
  const ask = (...args: string[]) =>
    warden([...args, '--socket', house.socket, '--json'], { cwd: house.folder, env: {} });
  for (const actor of ['adm-tester', 'agt-test', 'agt-own']) {
    const signed = await ask('sign', actor, '--pubkey', join(house.folder, 'id.pub'));
    expect(signed.code, signed.stdout + signed.stderr).toBe(0);
  }
  const issued = await ask('issue', 'agt-test', '--out', join(house.folder, 'new'));
  expect([issued.code, (json(issued).error as { reason: string }).reason]).toEqual([1, 'issue_unsupported']);
  const records = await readLedger(house.state);
  const signs = records.filter(({ kind }) => kind === 'sign');
  expect(signs.map(({ openbao_path }) => openbao_path)).toEqual(['ssh/sign/adm', 'ssh/sign/agt', 'ssh/sign/own']);
  for (const record of signs) {
    expect(record).toMatchObject({
      outcome: 'ok',
      backend: 'openbao',
      openbao_request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      token_accessor: expect.stringMatching(/^\w+$/),
    });
  }

  // An actor's new principal that OpenBao does not know yet is refused, with the setting that says so.
  await writeFile(
    join(house.config, 'inventory.yaml'),
    inventory(process.getuid?.() ?? 0).replace('agt-test, agt-other', 'agt-test, agt-new'),
    { mode: 0o600 },
  );
  expect((await ask('reload')).code).toBe(0);
  const refused = await ask('sign', 'agt-test', '--pubkey', join(house.folder, 'id.pub'));
  expect([refused.code, json(refused).error]).toEqual([
    1,
    expect.objectContaining({
      reason: 'ca_refused',
      message: 'OpenBao refused the certificate: allowed_users of role agt does not list the principal',
      hint: '`warden openbao setup --dry-run` shows what the daemon needs there',
    }),
  ]);
  await setup(['--apply']);
  expect((await ask('sign', 'agt-test', '--pubkey', join(house.folder, 'id.pub'))).code).toBe(0);

  // Nothing of a secret is anywhere in reach.
  const secrets = [await readFile(file('secret_id'), 'utf8'), real.rootToken].map((text) => text.trim());
  const everything = [
    daemon.stderr.join('\n'),
    await readFile(join(house.state, 'signatures.log'), 'utf8'),
    await readFile(`/proc/${daemon.pid}/environ`, 'utf8'),
    await readFile(`/proc/${daemon.pid}/cmdline`, 'utf8'),
  ].join('\n');
  for (const secret of secrets) expect(everything).not.toContain(secret);
  expect(everything).not.toMatch(/\bs\.[A-Za-z0-9]{24}\b/);
  expect(await daemon.stop()).toBe(0);
});

test('routes that the daemon walks in its own name are read by its policy, and nothing beside them', async () => {
  await real.ok('POST', 'sys/mounts/kv-test', { type: 'kv', options: { version: '2' } });
  for (const name of ['listed', 'callers-own', 'of-prod', 'unlisted'])
    await real.ok('POST', `kv-test/data/words/${name}`, { data: { word: secretValue(name) } });
  const route = (id: string, as: string, posture: string, path: string, lane = 'openbao-kv'): string =>
    `  - { id: ${id}, owner: openbao, lane: ${lane}, as: ${as}, secret: { required_maturity: M0, data_class: synthetic }, location: { ${posture}: { mount: kv-test, path: ${path}, fields: [word] } }, fetch_capable: true, actors: [agt-test] }\n`;
  const routes = (more = ''): Promise<void> =>
    writeFile(
      join(house.config, 'routes.yaml'),
      `version: 1\nroutes:\n${route('listed', 'daemon', 'test', 'words/listed')}${route('own', 'caller', 'test', 'words/callers-own')}${route('of-prod', 'daemon', 'prod', 'words/of-prod')}${more}`,
      { mode: 0o600 },
    );
  await routes();
  const look = await setup(['--dry-run']);
  expect(look.stdout).toContain('~ policy warden\n');
  expect(look.stdout).toContain('      path "kv-test/data/words/listed" {\n        capabilities = ["read"]\n');
  expect(look.stdout).not.toMatch(/callers-own|of-prod|sys\/leases/);
  expect((await setup(['--apply'])).code).toBe(0);
  expect(new Set(Object.values(await actions(['--dry-run'])))).toEqual(new Set(['keep']));

  // The next route is there before its policy is: OpenBao says no until setup has run again.
  await routes(route('unlisted', 'daemon', 'test', 'words/unlisted'));
  const daemon = await startDaemon({ house });
  cleanups.add(() => daemon.stop());
  const fetched = (id: string) =>
    warden(['fetch', id, '--actor', 'agt-test', '--socket', house.socket], { cwd: house.folder, env: {} });
  expect(await fetched('listed')).toMatchObject({ code: 0, stdout: secretValue('listed') });
  expect(await fetched('unlisted')).toMatchObject({ code: 1, stdout: '' });
  expect((await setup(['--apply'])).code).toBe(0);
  expect(await fetched('unlisted')).toMatchObject({ code: 0, stdout: secretValue('unlisted') });
  expect(await daemon.stop()).toBe(0);

  await routes(route('leased', 'daemon', 'test', 'creds/reader', 'openbao-dynamic'));
  const leased = await setup(['--dry-run']);
  for (const path of ['kv-test/creds/reader', 'sys/leases/renew', 'sys/leases/revoke'])
    expect(leased.stdout).toContain(`path "${path}" {`);
  await rm(join(house.config, 'routes.yaml'));
});

test('a role for hosts is made where one is named: for their names alone, and a host gets its certificate by it', async () => {
  const uid = process.getuid?.() ?? 0;
  const hosts = `hosts:
  - { name: bastion-1, addresses: [10.0.0.5], host_certificate: { principals: [bastion-1.example.net], ttl_hours: 720, callers: [{ uid: ${uid} }] } }
  - { name: web-1, addresses: [10.0.0.6] }
`;
  const named = (hostRole: string): Promise<void> =>
    writeFile(
      join(house.config, 'warden.yaml'),
      settings(real.address).replace('ssh: {', `ssh: { host_role: ${hostRole},`),
      { mode: 0o600 },
    );
  await writeFile(join(house.config, 'inventory.yaml'), inventory(uid) + hosts, { mode: 0o600 });
  await named('agt');
  const shared = await setup(['--dry-run']);
  expect([shared.code, shared.stderr]).toEqual([2, expect.stringContaining('host_role agt is the role of actors too')]);
  await named('hosts');
  expect((await setup(['--apply'])).code).toBe(0);
  expect(await role('hosts')).toMatchObject({
    allow_user_certificates: false,
    allow_host_certificates: true,
    allowed_domains: 'bastion-1.example.net',
    allow_bare_domains: true,
    allow_subdomains: false,
    max_ttl: 720 * 3600,
  });
  expect(new Set(Object.values(await actions(['--dry-run'])))).toEqual(new Set(['keep']));

  const daemon = await startDaemon({ house });
  cleanups.add(() => daemon.stop());
  const got = await warden(
    ['host-cert', 'bastion-1', '--pubkey', join(house.folder, 'id.pub'), '-o', '-', '--socket', house.socket],
    { cwd: house.folder, env: {} },
  );
  expect(got.stderr).toBe('');
  expect(got.stdout).toMatch(/^ssh-ed25519-cert-v01@openssh\.com /);
  expect(await daemon.stop()).toBe(0);
  await writeFile(join(house.config, 'warden.yaml'), settings(real.address), { mode: 0o600 });
});

test('a pinned key that is not the CA is a conflict, and stays', async () => {
  const before = await readFile(file('ca.pub'), 'utf8');
  const other = (await readFile(join(house.folder, 'id.pub'), 'utf8')).trim();
  await writeFile(file('ca.pub'), `${other}\n`);
  const result = await setup(['--apply']);
  expect(result.code).toBe(1);
  expect(result.stdout).toContain(`! ${file('ca.pub')} (public key of the CA, pinned)`);
  expect(await readFile(file('ca.pub'), 'utf8')).toBe(`${other}\n`);
  await writeFile(file('ca.pub'), before);
});

test('another engine at the mount is a conflict, and nothing at all is touched', async () => {
  await real.ok('DELETE', 'sys/mounts/ssh');
  await real.ok('POST', 'sys/mounts/ssh', { type: 'kv' });
  await real.ok('DELETE', 'sys/policies/acl/warden');
  const result = await setup(['--apply']);
  expect([result.code, result.stdout.split('\n')[0]]).toEqual([1, '! ssh engine at ssh/']);
  expect((await real.call('GET', 'sys/policies/acl/warden')).status).toBe(404);
});

test('a token that may not manage OpenBao is told so', async () => {
  const { body } = await real.call('POST', 'auth/token/create', { body: { policies: ['default'], ttl: '5m' } });
  const { client_token: weak } = (body as { auth: { client_token: string } }).auth;
  const api: Api = apiOf(real.address, weak);
  expect((await api.call('GET', 'sys/mounts/ssh')).status).toBe(403);
  const result = await setup(['--dry-run'], { BAO_TOKEN: weak });
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('your token may not do this in OpenBao');
  expect(result.stderr).not.toContain(weak);
});

async function keyPair(): Promise<void> {
  await rm(join(house.folder, 'id'), { force: true });
  await sshKeygenOk(['-q', '-t', 'ed25519', '-N', '', '-C', 'x', '-f', join(house.folder, 'id')]);
}
