import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
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
