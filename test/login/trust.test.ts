import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { warden } from '../support/cli.ts';
import {
  DaemonEnded,
  type DaemonOptions,
  makeHouse,
  type RunningDaemon,
  startDaemon,
  writeConfig,
} from '../support/daemon.ts';
import { type TestKey, testKey } from '../support/ssh-keys.ts';
import { Sshd } from '../support/sshd.ts';
import { accepted } from './support/accepted.ts';
import { publishedKeys, type Signed, sign } from './support/sign.ts';
import { makeSubject, type Subject } from './support/subjects.ts';

const INVENTORY = 'version: 1\nactors:\n  - { name: agt-login, type: agt, principals: [deploy] }\n';

let ours: TestKey;
let other: TestKey;
let subject: Subject;
beforeAll(async () => {
  ours = await testKey('ssh-ed25519', 'ca');
  other = await testKey('ecdsa-sha2-nistp256', 'ca-other');
  subject = await makeSubject('ssh-ed25519', 'subject');
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function daemon(options: DaemonOptions): Promise<RunningDaemon> {
  const house = options.house ?? makeHouse({ inventory: INVENTORY, ...options });
  cleanups.push(() => house.remove());
  const running = await startDaemon({ ...options, house });
  cleanups.push(() => running.stop());
  return running;
}

async function hostThatTrusts(trusts: readonly string[]): Promise<Sshd> {
  const host = await Sshd.make({ trusts, principals: ['deploy'] });
  cleanups.push(() => host.remove());
  return host;
}

const caLines = (lines: string): string => `version: 1\nposture: test\nca: ${lines}\n`;
const login = (host: Sshd, { subject: { file }, certificate }: Signed) => host.login({ key: file, certificate });
const IN = { code: 0, stdout: 'ok\n', stderr: '' };
const OUT = { code: 255, stdout: '', stderr: expect.stringContaining('Permission denied (publickey).') };

describe('a host', () => {
  test('refuses a certificate of a CA that it does not trust', async () => {
    const { socket } = await daemon({ warden: caLines(`{ key: "${ours.file}" }`) });
    const signed = await sign(socket, 'agt-login', subject);
    const refused = await login(await hostThatTrusts([other.line]), signed);
    expect(refused).toMatchObject(OUT);
    expect(refused.log).toContain(`Failed publickey for `);
    expect(refused.log).toContain(
      `(serial ${signed.evidence.serial}) CA ED25519 ${fingerprint(ours.publicKey.blob)}\n`,
    );
    expect(accepted(refused.log)).toBeNull();
  });
});

test('a CA is rolled without locking anybody out: next, current, retired, gone', async () => {
  const running = await daemon({ warden: caLines(`{ key: "${ours.file}", next: "${other.file}.pub" }`) });
  const reload = async (lines: string): Promise<string[]> => {
    writeConfig(running.house, { warden: caLines(lines), inventory: INVENTORY });
    const { code, stdout, stderr } = await warden(['reload'], { env: { WARDEN_SOCKET: running.socket } });
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    return await publishedKeys(running.socket);
  };
  const host = await hostThatTrusts(await publishedKeys(running.socket));

  const old = await sign(running.socket, 'agt-login', subject);
  expect(old.evidence.ca_fingerprint).toBe(fingerprint(ours.publicKey.blob));
  expect(await login(host, old)).toMatchObject(IN);

  // The host has not heard of the change yet: what was published as the next key is what it trusts already.
  const rolled = await reload(`{ key: "${other.file}", retired: ["${ours.file}.pub"] }`);
  const fresh = await sign(running.socket, 'agt-login', subject);
  expect(fresh.evidence.ca_fingerprint).toBe(fingerprint(other.publicKey.blob));
  expect(await login(host, fresh)).toMatchObject(IN);

  host.trust(rolled);
  expect(await login(host, old)).toMatchObject(IN);
  expect(await login(host, fresh)).toMatchObject(IN);

  host.trust(await reload(`{ key: "${other.file}" }`));
  expect(await login(host, old)).toMatchObject(OUT);
  expect(await login(host, fresh)).toMatchObject(IN);
});

describe('a CA key from the credentials of a service manager', () => {
  test('signs what a host lets in', async () => {
    const house = makeHouse({ warden: caLines('{ key: "credential:warden-ca" }'), inventory: INVENTORY });
    const credentials = join(house.folder, 'credentials');
    mkdirSync(credentials, { mode: 0o700 });
    copyFileSync(ours.file ?? '', join(credentials, 'warden-ca'));
    chmodSync(join(credentials, 'warden-ca'), 0o400);
    const { socket } = await daemon({ house, env: { CREDENTIALS_DIRECTORY: credentials } });
    const signed = await sign(socket, 'agt-login', subject);
    const result = await login(await hostThatTrusts(await publishedKeys(socket)), signed);
    expect(result).toMatchObject(IN);
    expect(accepted(result.log)).toMatchObject({
      keyId: signed.evidence.key_id,
      serial: signed.evidence.serial,
      caFingerprint: fingerprint(ours.publicKey.blob),
    });
  });

  test.each([
    ['no service manager gave any', {}, /credential:warden-ca is wanted, and CREDENTIALS_DIRECTORY is not set/],
    ['it gave another', { other: 0o400 }, /credentials\/warden-ca is not there/],
    ['others can read it', { 'warden-ca': 0o444 }, /credentials\/warden-ca is open to others \(mode 0444\)/],
  ] as const)('is refused at start where %s', async (_, files, message) => {
    const house = makeHouse({ warden: caLines('{ key: "credential:warden-ca" }'), inventory: INVENTORY });
    const credentials = join(house.folder, 'credentials');
    mkdirSync(credentials, { mode: 0o700 });
    for (const [name, mode] of Object.entries(files)) {
      writeFileSync(join(credentials, name), '', { mode });
      copyFileSync(ours.file ?? '', join(credentials, name));
      chmodSync(join(credentials, name), mode);
    }
    const env = Object.keys(files).length === 0 ? {} : { CREDENTIALS_DIRECTORY: credentials };
    const ended = await daemon({ house, env }).catch((error: unknown) => error);
    if (!(ended instanceof DaemonEnded)) throw new Error('it started');
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/^ {2}why: config_invalid$/m);
  });
});
