import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DecisionPointServer } from '../e2e/decision-point.ts';
import { clear, houseOf, recordOf, records } from '../e2e/support.ts';
import { readCertificate } from '../login/support/read-certificate.ts';
import { sign } from '../login/support/sign.ts';
import { makeSubject, type Subject } from '../login/support/subjects.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { testKey } from '../support/ssh-keys.ts';
import { Sshd } from '../support/sshd.ts';

const uid = process.getuid?.() ?? 0;
const INVENTORY = `${plainInventory(uid)}hosts:
  - { name: bastion-1, addresses: [10.0.0.5], purpose: jump host, host_certificate: { principals: [host.test, bastion-1.example.net], ttl_hours: 720, callers: [{ uid: ${uid} }] } }
  - { name: foreign-1, host_certificate: { principals: [foreign.test], callers: [{ uid: ${uid + 4242} }] } }
  - { name: plain-1, addresses: [10.0.0.9] }
`;

let daemon: RunningDaemon;
let folder: string;
let hostKey: string;
let subject: Subject;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseOf('test', '', INVENTORY) });
  folder = mkdtempSync(join(tmpdir(), 'warden-host-'));
  hostKey = join(folder, 'ssh_host_ed25519_key.pub');
  copyFileSync(`${(await testKey('ssh-ed25519', 'host')).file}.pub`, hostKey);
  subject = await makeSubject('ssh-ed25519', 'host-subject');
});
afterAll(async () => {
  await clear(daemon);
  rmSync(folder, { recursive: true, force: true });
});
const cli = (...args: string[]): Promise<CliResult> => warden(args, { env: { WARDEN_SOCKET: daemon.socket } });

describe('$ warden host-cert', () => {
  test('HOST certifies the host key, and writes beside it', async () => {
    const { code, stdout, stderr } = await cli('host-cert', 'bastion-1', '--pubkey', hostKey, '--ticket', 'T-1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`in sshd_config: HostCertificate ${folder}/ssh_host_ed25519_key-cert.pub`);
    const read = await readCertificate(join(folder, 'ssh_host_ed25519_key-cert.pub'));
    expect(read).toMatchObject({
      type: 'ssh-ed25519-cert-v01@openssh.com host certificate',
      principals: ['host.test', 'bastion-1.example.net'],
      criticalOptions: [],
      extensions: [],
      keyId: expect.stringMatching(/^host:bastion-1\/[0-9a-f-]{36}\/-$/),
    });
    expect(Date.parse(read.validBefore) - Date.parse(read.validAfter)).toBe((720 * 3600 + 60) * 1000);
    const [record] = (await records(daemon.house, { kind: 'host' })).slice(-1);
    expect(record).toMatchObject({
      outcome: 'ok',
      actor: 'bastion-1',
      actor_type: 'host',
      subject: 'host:bastion-1',
      policy_effect: 'not_asked',
      certificate_issued: true,
      serial: read.serial,
      key_id: read.keyId,
      principals: read.principals,
      ticket: 'T-1',
    });
  });

  test('--if-expiring does nothing while the certificate lasts, and renews it where its names are others', async () => {
    const args = ['host-cert', 'bastion-1', '--pubkey', hostKey, '--if-expiring', '7d', '--json'];
    expect(json(await cli(...args))).toMatchObject({ renewed: false });
    const other = json(await cli(...args, '--principal', 'host.test', '--ttl', '2h'));
    expect(other).toMatchObject({ renewed: true, principals: ['host.test'], ttl_seconds: 7200 });
    expect(json(await cli(...args))).toMatchObject({ renewed: true });
  });

  test.each([
    ['a host that does not name this caller', ['foreign-1'], 'caller_not_allowed'],
    ['a host that gets no certificate', ['plain-1'], 'caller_not_allowed'],
    ['a host that is not there', ['nowhere'], 'caller_not_allowed'],
    ['an actor', ['agt-test'], 'caller_not_allowed'],
    ['a name of another host', ['bastion-1', '--principal', 'foreign.test'], 'disallowed_principal'],
    ['more time than the host may have', ['bastion-1', '--ttl', '721'], 'ttl_out_of_bounds'],
  ])('is refused for %s, on record', async (_, args, reason) => {
    const result = await cli('host-cert', ...args, '--pubkey', hostKey, '--out', '-');
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code: 1, stdout: '' });
    const [, code, seq] = /why: (\w+) · ledger (\d+)/.exec(result.stderr) ?? [];
    expect(code).toBe(reason);
    const record = await recordOf(daemon.house, seq);
    expect(record).toMatchObject({ kind: 'host', outcome: 'refused', reason });
    // What a stranger sends is counted and not written each time: no host has let it in.
    expect(record?.actor_type).toBe(reason === 'caller_not_allowed' ? undefined : 'host');
  });

  test('is refused for a security key, which no sshd can use', async () => {
    const key = join(folder, 'sk.pub');
    writeFileSync(key, (await testKey('sk-ssh-ed25519@openssh.com', 'host-sk')).line);
    expect((await cli('host-cert', 'bastion-1', '--pubkey', key, '--out', '-')).stderr).toContain(
      'public_key_unsupported',
    );
  });

  test('a name of a host cannot be signed for as an actor, and an actor not as a host', async () => {
    expect((await cli('sign', 'bastion-1', '--pubkey', hostKey, '--out', '-')).stderr).toContain('caller_not_allowed');
  });

  test('a revoked host gets nothing new, until that is lifted', async () => {
    expect((await cli('revoke', '--actor', 'bastion-1')).stdout).toMatch(/^revoked \d+ certificates still valid/);
    expect((await cli('host-cert', 'bastion-1', '--pubkey', hostKey)).stderr).toContain('why: actor_revoked');
    expect((await cli('revoke', '--lift', '--actor', 'bastion-1')).code).toBe(0);
  });
});

describe('the gate', () => {
  test.each([
    ['is not asked of hosts by default', 'sign', 0],
    ['is asked where policy.gate lists host', 'host', 1],
  ])('%s', async (_, gate, times) => {
    const point = await DecisionPointServer.start(() => ({
      effect: 'allow',
      id: 'decision:h1',
      reason: 'host_matched',
    }));
    const more = `policy: { enabled: true, flex_auth_url: "${point.url}", gate: [${gate}] }\n`;
    const gated = await startDaemon({ house: houseOf('test', more, INVENTORY) });
    try {
      const env = { WARDEN_SOCKET: gated.socket };
      const out = join(folder, 'gated-cert.pub');
      const result = json(
        await warden(['host-cert', 'bastion-1', '--pubkey', hostKey, '--out', out, '--json'], { env }),
      );
      expect(point.asked).toHaveLength(times);
      expect(result.policy_decision_id).toBe(times === 0 ? undefined : 'decision:h1');
      if (times === 0) return;
      expect(point.asked[0]).toMatchObject({
        subject: { id: 'host:bastion-1', type: 'host' },
        resource: { id: 'ssh-cert:host/bastion-1', type: 'ssh-certificate' },
        action: 'sign',
        context: { principals: ['host.test', 'bastion-1.example.net'], actor_type: 'host', ttl_hours: 720 },
      });
      expect((await readCertificate(out)).keyId).toMatch(/\/decision:h1$/);
      point.answer = () => ({ effect: 'deny', id: 'decision:h2', reason: 'unknown_actor_resource' });
      const denied = await warden(['host-cert', 'bastion-1', '--pubkey', hostKey, '--out', out, '--ttl', '3h'], {
        env,
      });
      expect(denied.stderr).toMatch(/why: unknown_actor_resource · decision decision:h2/);
    } finally {
      await clear(gated);
      await point.close();
    }
  });
});

describe('a client that trusts the authority alone', () => {
  test('logs in without a question, and refuses a host without a certificate or with another name', async () => {
    const known = join(folder, 'known_hosts');
    const { stdout } = await cli('known-hosts');
    expect(stdout).toMatch(
      /^@cert-authority bastion-1\.example\.net,foreign\.test,host\.test ssh-ed25519 \S+ ca-test \(current\)\n$/,
    );
    expect((await cli('known-hosts', '-o', known)).stdout).toContain(`${known}: 3 names, 1 authority\n`);
    expect(readFileSync(known, 'utf8')).toBe(stdout);
    const host = await Sshd.make({
      trusts: [readFileSync(join(daemon.house.config, 'ca_ed25519.pub'), 'utf8').trim()],
      principals: ['agt-test'],
      config: [`HostCertificate ${join(folder, 'sshd-cert.pub')}`],
    });
    try {
      expect(
        (await cli('host-cert', 'bastion-1', '--pubkey', host.hostKey, '--out', join(folder, 'sshd-cert.pub'))).code,
      ).toBe(0);
      const signed = await sign(daemon.socket, 'agt-test', subject);
      const as = (alias: string) =>
        host.login({
          key: subject.file,
          certificate: signed.certificate,
          options: [`-oUserKnownHostsFile=${known}`, `-oHostKeyAlias=${alias}`],
        });
      expect(await as('host.test')).toMatchObject({ code: 0, stdout: 'ok\n', stderr: '' });
      expect(await as('foreign.test')).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('Host key verification failed'),
      });
      expect(await as('elsewhere.test')).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('Host key verification failed'),
      });
    } finally {
      host.remove();
    }
  });
});
