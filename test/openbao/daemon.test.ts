import { rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { makeCaKey } from '../support/ca-key.ts';
import { secretValue } from '../support/canary.ts';
import { json, warden } from '../support/cli.ts';
import { makeHouse, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { countingProxy, devServer } from '../support/openbao.ts';
import { sshKeygenOk } from '../support/ssh-keygen.ts';
import { readLedger } from './ledger.ts';
import { Cleanups, furnish } from './support.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

async function begin(
  wardenYaml: string,
  files: Readonly<Record<string, string>> = {},
  through: readonly string[] = [],
) {
  const house = makeHouse({ warden: wardenYaml });
  cleanups.add(house.remove);
  for (const [name, text] of Object.entries(files)) await writeFile(join(house.config, name), text, { mode: 0o600 });
  const key = join(house.folder, 'id');
  await sshKeygenOk(['-q', '-t', 'ed25519', '-N', '', '-C', 'x', '-f', key]);
  const daemon: RunningDaemon = await startDaemon({ house, through });
  cleanups.add(() => daemon.stop());
  const ask = (...args: string[]) =>
    warden([...args, '--socket', house.socket, '--json'], { cwd: house.folder, env: {} });
  return { house, daemon, ask, key };
}

const ca = async (ask: (...args: string[]) => Promise<{ stdout: string; code: number | null; stderr: string }>) => {
  const status = json(await ask('status')) as { dependencies: { name: string; state: string; detail: string }[] };
  return status.dependencies.find(({ name }) => name === 'ca');
};

describe('the dev posture with OpenBao as backend', () => {
  const DEV = `version: 1
posture: dev
backend: openbao
openbao: { address: "https://192.0.2.1:8200", login: { method: token_file, token_file: nowhere } }
`;

  test('signs by the double in the process, refuses what the real one refuses, and connects to nobody', async () => {
    const trace = join(cleanupFolder(), 'trace');
    const { house, daemon, ask, key } = await begin(DEV, {}, [
      'strace',
      '-D',
      '-f',
      '-qq',
      '-e',
      'trace=connect,execve',
      '-o',
      trace,
    ]);
    const signed = await ask('sign', 'agt-test', '--pubkey', `${key}.pub`);
    expect(signed.code, signed.stdout + signed.stderr).toBe(0);
    const shown = await sshKeygenOk(['-L', '-f', `${key}-cert.pub`]);
    expect(shown).toContain('Key ID: "synthetic-');
    const issued = await ask('issue', 'agt-test', '--out', join(house.folder, 'new'));
    expect([issued.code, (json(issued).error as { reason: string }).reason]).toEqual([1, 'issue_unsupported']);
    const [record] = (await readLedger(house.state)).filter(({ kind }) => kind === 'sign');
    expect(record).toMatchObject({
      backend: 'openbao',
      openbao_path: 'ssh/sign/agt',
      openbao_request_id: expect.stringMatching(/^synthetic-[0-9a-f-]{36}$/),
      token_accessor: 'synthetic-accessor',
    });
    expect(await ca(ask)).toMatchObject({ state: 'serving', detail: 'openbao' });
    expect(await daemon.stop()).toBe(0);
    // Local sockets are its own: the service manager's, and its own to see whether it is taken.
    const calls = await readFile(trace, 'utf8');
    expect(calls).toContain('execve(');
    expect(calls.split('\n').filter((line) => /AF_INET/.test(line))).toEqual([]);
  });
});

describe('a daemon whose login is refused', () => {
  test('starts, refuses, says so in status, asks no more, and is mended by a file without a restart', async () => {
    const real = await devServer();
    cleanups.add(real.stop);
    const proxy = await countingProxy(real.address);
    cleanups.add(proxy.close);
    const { roleId, secretId, caKey } = await furnish(real);
    const yaml = `version: 1
posture: test
backend: openbao
openbao:
  address: ${proxy.address}
  login: { method: approle, role_id_file: role_id, secret_id_file: secret_id }
`;
    const { house, ask, key, daemon } = await begin(yaml, { role_id: roleId, secret_id: 'wrong', 'ca.pub': caKey });
    for (let request = 0; request < 5; request += 1) {
      const refused = await ask('sign', 'agt-test', '--pubkey', `${key}.pub`);
      expect([refused.code, (json(refused).error as { reason: string }).reason]).toEqual([1, 'ca_refused']);
    }
    const logins = () => proxy.seen.filter((line) => line.includes('login')).length;
    expect(logins()).toBe(1);
    expect(await ca(ask)).toMatchObject({
      state: 'not_serving',
      detail: "OpenBao refuses the daemon's login by approle: OpenBao rejected the request (invalid role or secret ID)",
    });
    // A reload that somebody asks for is one more try.
    expect((await ask('reload')).code).toBe(0);
    await expect.poll(logins).toBe(2);
    await writeFile(join(house.config, 'secret_id'), `${secretId}\n`, { mode: 0o600 });
    const signed = await ask('sign', 'agt-test', '--pubkey', `${key}.pub`);
    expect(signed.code, signed.stdout + signed.stderr).toBe(0);
    expect(logins()).toBe(3);
    const log = daemon.stderr.join('\n');
    for (const secret of [secretId, roleId]) expect(log).not.toContain(secret);
    expect(await daemon.stop()).toBe(0);
    expect(proxy.seen.at(-1)).toBe('POST /v1/auth/token/revoke-self 204');
  });
});

test('signing and routes share one login, which no reload of either ends', async () => {
  const real = await devServer();
  cleanups.add(real.stop);
  const proxy = await countingProxy(real.address);
  cleanups.add(proxy.close);
  const { caKey } = await furnish(real);
  await real.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
  await real.ok('POST', 'platform-test/data/word', { data: { word: secretValue('link') } });
  const yaml = (backend: string) => `version: 1
posture: test
backend: ${backend}
openbao: { address: "${proxy.address}", tier: test, login: { method: token_file, token_file: token } }
`;
  const routes = (title: string) => `version: 1
routes:
  - id: word
    title: ${title}
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M0, data_class: synthetic }
    location: { test: { mount: platform-test, path: word, fields: [word] } }
    fetch_capable: true
    actors: [agt-test]
`;
  const files = { token: real.rootToken, 'ca.pub': caKey, 'routes.yaml': routes('one') };
  const { house, ask, key } = await begin(yaml('openbao'), files);
  const both = async (): Promise<void> => {
    const signed = await ask('sign', 'agt-test', '--pubkey', `${key}.pub`);
    expect(signed.code, signed.stdout + signed.stderr).toBe(0);
    const fetched = await ask('fetch', 'word', '--actor', 'agt-test');
    expect(fetched.stdout, fetched.stderr).toContain(secretValue('link'));
  };
  const logins = () => proxy.seen.filter((line) => line.includes('lookup-self')).length;
  await both();
  await writeFile(join(house.config, 'routes.yaml'), routes('two'), { mode: 0o600 });
  expect((await ask('reload')).code).toBe(0);
  await both();
  expect(logins()).toBe(1);
  // A key in a file signs from here on; the route still goes to OpenBao, by the same login.
  rmSync(join(house.config, 'ca_ed25519'));
  rmSync(join(house.config, 'ca_ed25519.pub'), { force: true });
  makeCaKey(join(house.config, 'ca_ed25519'), 'ca-test');
  await writeFile(join(house.config, 'warden.yaml'), yaml('local'), { mode: 0o600 });
  const reloaded = await ask('reload');
  expect(reloaded.code, reloaded.stdout + reloaded.stderr).toBe(0);
  await both();
  expect(logins()).toBe(1);
});

test('a pinned key that is not there keeps the daemon from starting, and says which', async () => {
  const yaml = `version: 1
posture: test
backend: openbao
openbao: { address: "http://127.0.0.1:1", login: { method: token_file, token_file: t } }
`;
  await expect(begin(yaml)).rejects.toThrow(/ca\.pub is not there[\s\S]*warden openbao setup --apply/);
});

/** For a file that outlives its daemon's house. */
function cleanupFolder(): string {
  const house = makeHouse();
  cleanups.add(house.remove);
  return house.folder;
}
