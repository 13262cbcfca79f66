import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { start } from '../exec/support.ts';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { devServer, type RealServer } from '../support/openbao.ts';
import { POSTGRES_LOGIN, type Postgres, startPostgres } from '../support/postgres.ts';
import { houseWith, INVENTORY, lastRecord } from './support.ts';

let postgres: Postgres;
let bao: RealServer;
let daemon: RunningDaemon;

beforeAll(async () => {
  [postgres, bao] = await Promise.all([startPostgres(), devServer()]);
  await bao.ok('POST', 'sys/mounts/database-test', { type: 'database' });
  await bao.ok('POST', 'database-test/config/pg', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: '*',
    connection_url: postgres.url,
    ...POSTGRES_LOGIN,
  });
  await bao.ok('POST', 'database-test/roles/reader', {
    db_name: 'pg',
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`],
    default_ttl: '10m',
    max_ttl: '1h',
  });
  await bao.ok('POST', 'database-test/roles/brief', {
    db_name: 'pg',
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}';`],
    default_ttl: '3s',
    max_ttl: '1h',
  });
  await bao.ok('POST', 'sys/policies/acl/daemon', {
    policy:
      'path "database-test/creds/+" { capabilities = ["read"] }\npath "sys/leases/revoke" { capabilities = ["update"] }',
  });
  const created = await bao.call('POST', 'auth/token/create', { body: { policies: ['daemon'] } });
  const { client_token: token } = (created.body as { auth: { client_token: string } }).auth;
  const house = houseWith({
    beyondDev: true,
    routes: `version: 1
routes:
  - id: db-reader
    owner: openbao
    lane: openbao-dynamic
    as: daemon
    secret: { required_maturity: M2, data_class: confidential }
    location: { test: { mount: database-test, path: creds/reader, fields: [username, password] } }
    fetch_capable: true
    actors: [agt-m1, agt-m3]
  - id: db-brief
    owner: openbao
    lane: openbao-dynamic
    as: daemon
    secret: { required_maturity: M2, data_class: confidential }
    location: { test: { mount: database-test, path: creds/brief, fields: [username, password] } }
    exec_capable: true
    allow_unmasked: true
    inject: [{ field: username, env: PGUSER }, { field: password, env: PGPASSWORD }]
    actors: [agt-m3]
  - id: db-misspelt
    owner: openbao
    lane: openbao-dynamic
    as: daemon
    secret: { required_maturity: M2, data_class: confidential }
    location: { test: { mount: database-test, path: creds/reader, fields: [user, password] } }
    fetch_capable: true
    actors: [agt-m3]
`,
  });
  const tokenFile = join(house.folder, 'daemon.token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const login = `{ method: token_file, token_file: ${tokenFile} }`;
  writeConfig(house, {
    warden: `version: 1\nposture: test\nopenbao: { address: "${bao.address}", tier: test, login: ${login} }\n`,
    inventory: INVENTORY,
  });
  daemon = await startDaemon({ house });
}, 90_000);
afterAll(async () => {
  await daemon?.stop();
  await bao?.stop();
  await postgres?.stop();
  daemon?.house.remove();
});

const run = (args: string) => warden(args.split(' '), { env: { WARDEN_SOCKET: daemon.socket, BAO_TOKEN: '' } });
const roles = (): string[] =>
  postgres.sql("select rolname from pg_roles where rolname like 'v-%'").split('\n').filter(Boolean);

test('a leased login: both fields of one lease, good at the database, gone with the lease', async () => {
  const answer = json(await run('fetch db-reader --actor agt-m3 --json'));
  expect(answer).toMatchObject({
    lane: 'openbao-dynamic',
    openbao_path: 'database-test/creds/reader',
    lease_seconds: 600,
  });
  const { username: user, password } = answer.fields as { username: string; password: string };
  expect(postgres.sql('select current_user', { user, password })).toBe(user);
  const record = lastRecord(daemon.house);
  expect(record).toMatchObject({
    kind: 'fetch',
    outcome: 'ok',
    route: 'db-reader',
    workload_maturity: 'M3',
    required_maturity: 'M2',
    data_class: 'confidential',
    openbao_path: 'database-test/creds/reader',
    lease_id: answer.lease_id,
    populated_key_count: 2,
  });
  expect(record).not.toHaveProperty('openbao_version');
  expect(JSON.stringify(record)).not.toContain(password);
  await bao.ok('POST', 'sys/leases/revoke', { lease_id: answer.lease_id, sync: true });
  expect(roles()).not.toContain(user);
});

test('a login under a command is renewed for as long as that runs, and gone when it has ended', async () => {
  const go = join(daemon.house.folder, 'go');
  const script = 'echo "user $PGUSER end"; while [ ! -e "$1" ]; do sleep 0.05; done; exit 3';
  const { ended, saw, child } = start(daemon, [
    ...['--route', 'db-brief', '--actor', 'agt-m3', '--no-mask'],
    ...['--', 'sh', '-c', script, 'sh', go],
  ]);
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  await saw(' end');
  const user = /user (\S+) end/.exec(out)?.[1] ?? '';
  const { lease_id } = lastRecord(daemon.house);
  expect(lastRecord(daemon.house)).toMatchObject({ kind: 'exec_start', openbao_path: 'database-test/creds/brief' });
  // Past its three seconds only if OpenBao was asked to lengthen it.
  const renewed = async (): Promise<string | null> => {
    const { body } = await bao.call('POST', 'sys/leases/lookup', { body: { lease_id } });
    return (body as { data?: { last_renewal: string | null } }).data?.last_renewal ?? null;
  };
  const until = performance.now() + 15_000;
  let first = await renewed();
  for (; first === null && performance.now() < until; first = await renewed()) await pause(50);
  for (let now = first; now === first && performance.now() < until; now = await renewed()) await pause(50);
  expect(await renewed()).not.toBe(first);
  expect(roles()).toContain(user);
  writeFileSync(go, '');
  expect((await ended).code).toBe(3);
  expect(roles()).not.toContain(user);
  expect(lastRecord(daemon.house)).toMatchObject({ kind: 'exec_end', outcome: 'ok', exit_code: 3 });
}, 40_000);

test('each fetch is a lease of its own, and one request makes one', async () => {
  const before = roles().length;
  const values = [
    await run('fetch db-reader --actor agt-m3 --field username'),
    await run('fetch db-reader --actor agt-m3 --field username'),
  ];
  expect(new Set(values.map(({ stdout }) => stdout)).size).toBe(2);
  expect(roles().length).toBe(before + 2);
});

test('what the lattice refuses makes no lease', async () => {
  const before = roles().length;
  const result = await run('fetch db-reader --actor agt-m1 --json');
  expect(result.code).toBe(1);
  expect(lastRecord(daemon.house)).toMatchObject({ outcome: 'refused', reason: 'lattice_refused' });
  expect(roles().length).toBe(before);
});

test('a lease that lacks a field of the route is given back', async () => {
  const before = roles().length;
  const result = await run('fetch db-misspelt --actor agt-m3 --json');
  expect(result.code).toBe(1);
  expect(lastRecord(daemon.house)).toMatchObject({
    outcome: 'refused',
    reason: 'secret_missing',
    route: 'db-misspelt',
  });
  await expect.poll(() => roles().length, { timeout: 10_000 }).toBe(before);
});

test('a wrapped lease opens once, and holds what the route lists', async () => {
  const result = await run('fetch db-reader --actor agt-m3 --wrap-ttl 1m');
  // `default` is what lets a token wrap; this one has it.
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const opened = await bao.call('POST', 'sys/wrapping/unwrap', { token: result.stdout });
  const { data } = opened.body as { data: { username: string; password: string } };
  expect(Object.keys(data).sort()).toEqual(['password', 'username']);
  expect(postgres.sql('select 1', { user: data.username, password: data.password })).toBe('1');
  expect((await bao.call('POST', 'sys/wrapping/unwrap', { token: result.stdout })).status).toBe(400);
});
