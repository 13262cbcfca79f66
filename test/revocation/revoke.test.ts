import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { parseCertificateLine } from '../../src/ssh/certificate.ts';
import { isRevoked as isRevokedBy, parseRevocationList } from '../../src/ssh/krl.ts';
import { Client, clear, findings, houseOf, records, refusalOf } from '../e2e/support.ts';
import { sign as signFile } from '../login/support/sign.ts';
import { makeSubject, type Subject } from '../login/support/subjects.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { sshKeygen } from '../support/ssh-keygen.ts';
import { Sshd } from '../support/sshd.ts';

const uid = process.getuid?.() ?? 0;
const INVENTORY = `${plainInventory(uid)}  - { name: agt-bystander, type: agt, principals: [agt-bystander], callers: [{ uid: ${uid} }] }
  - { name: agt-since, type: agt, principals: [agt-since], callers: [{ uid: ${uid} }] }
`;

let daemon: RunningDaemon;
let client: Client;
let subject: Subject;
let other: Subject;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseOf('test', '', INVENTORY) });
  client = await Client.open(daemon.socket);
  subject = await makeSubject('ssh-ed25519', 'revoked-subject');
  other = await makeSubject('ssh-ed25519', 'other-subject');
});
afterAll(async () => {
  client?.close();
  await clear(daemon);
});

const cli = (...args: string[]): Promise<CliResult> => warden(args, { env: { WARDEN_SOCKET: daemon.socket } });
const krlFile = (): string => join(daemon.state, 'revoked.krl');
/** As OpenSSH reads the list, and we ourselves. */
const isRevoked = async (certificate: string): Promise<boolean> => {
  const theirs = (await sshKeygen(['-Q', '-f', krlFile(), certificate])).stdout.endsWith(': REVOKED\n');
  const line = readFileSync(certificate, 'utf8').trim();
  expect(isRevokedBy(parseRevocationList(readFileSync(krlFile())), parseCertificateLine(line))).toBe(theirs);
  return theirs;
};
const restart = async (signal?: NodeJS.Signals): Promise<void> => {
  client.close();
  await daemon.stop(signal);
  daemon = await startDaemon({ house: daemon.house });
  client = await Client.open(daemon.socket);
};

describe('$ warden revoke', () => {
  test('an empty list lies ready for sshd from the first start', async () => {
    expect(statSync(krlFile()).mode & 0o777).toBe(0o644);
    const { list, number } = await client.call(WardenDefinition.methods.getRevocationList, {});
    expect(readFileSync(krlFile())).toEqual(Buffer.from(list));
    expect(parseRevocationList(Buffer.from(list))).toMatchObject({ number, certificates: [], keySha256: [] });
  });

  test('one certificate by its serial: shown, recorded, in the list, and no other one', async () => {
    const gone = await signFile(daemon.socket, 'agt-test', subject);
    const kept = await signFile(daemon.socket, 'agt-test', subject);
    const before = (await client.call(WardenDefinition.methods.getRevocationList, {})).number;
    const dry = await cli('revoke', '--serial', gone.evidence.serial, '--dry-run', '--json');
    expect(json(dry)).toMatchObject({
      dry_run: true,
      certificates_total: 1,
      ledger_seq: 0,
      certificates: [{ serial: gone.evidence.serial, actor: 'agt-test' }],
    });
    expect(await isRevoked(gone.certificate)).toBe(false);
    const { code, stdout } = await cli('revoke', '--serial', gone.evidence.serial, '--reason', 'INC-1');
    expect(stdout).toMatch(
      new RegExp(
        `^revoked 1 certificate still valid · ledger \\d+\n {2}agt-test {2}serial ${gone.evidence.serial} {2}until `,
      ),
    );
    expect(code).toBe(0);
    expect([await isRevoked(gone.certificate), await isRevoked(kept.certificate)]).toEqual([true, false]);
    const [record] = (await records(daemon.house, { kind: 'revoke' })).slice(-1);
    expect(record).toMatchObject({
      outcome: 'ok',
      action: 'set',
      user_reason: 'INC-1',
      revoked: [expect.stringContaining(`serial `)],
    });
    const after = (await client.call(WardenDefinition.methods.getRevocationList, {})).number;
    expect(after).toBeGreaterThan(before);
  });

  test('by key id, known and unknown, and lifted again', async () => {
    const known = await signFile(daemon.socket, 'agt-test', subject);
    const answer = json(
      await cli(
        'revoke',
        '--key-id',
        known.evidence.key_id,
        '--key-id',
        'nobody/knows/this',
        '--serial',
        '77',
        '--json',
      ),
    );
    expect(answer).toMatchObject({ certificates_total: 1, unknown: ['77', 'nobody/knows/this'] });
    expect(await isRevoked(known.certificate)).toBe(true);
    expect((await cli('revoke', '--lift', '--serial', known.evidence.serial)).stdout).toMatch(
      /^lifted · ledger \d+\n$/,
    );
    expect(await isRevoked(known.certificate)).toBe(false);
    const again = await cli('revoke', '--lift', '--serial', known.evidence.serial);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is not revoked, and nothing was lifted')]);
  });

  test('a key id is lifted as it was revoked: by itself, though the list has the serial', async () => {
    const known = await signFile(daemon.socket, 'agt-test', subject);
    const keyId = known.evidence.key_id;
    const number = async (): Promise<bigint> =>
      (await client.call(WardenDefinition.methods.getRevocationList, {})).number;
    const before = await number();
    const idle = await cli('revoke', '--lift', '--key-id', keyId);
    expect([idle.code, idle.stderr]).toEqual([2, expect.stringContaining(`${keyId} is not revoked`)]);
    expect(await number()).toBe(before);
    await cli('revoke', '--key-id', keyId);
    expect(await isRevoked(known.certificate)).toBe(true);
    expect((await cli('revoke', '--lift', '--key-id', keyId)).code).toBe(0);
    expect(await isRevoked(known.certificate)).toBe(false);
  });

  test('a key: every certificate over it, and none is made any more, until it is lifted', async () => {
    const first = await signFile(daemon.socket, 'agt-test', other);
    const bystander = await signFile(daemon.socket, 'agt-test', subject);
    expect((await cli('revoke', '--fingerprint', other.fingerprint)).code).toBe(0);
    expect([await isRevoked(first.certificate), await isRevoked(bystander.certificate)]).toEqual([true, false]);
    const refused = await cli('sign', 'agt-test', '--pubkey', `${other.file}.pub`, '--out', '-');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^warden: refused: that key is revoked.*\n {2}why: key_revoked · ledger \d+ · request .*\n {2}do: make a new key pair/,
    );
    expect((await cli('revoke', '--lift', '--fingerprint', other.fingerprint)).code).toBe(0);
    await signFile(daemon.socket, 'agt-test', other);
  });

  test('an actor: all of its certificates, nothing new in any way, others untouched; over a restart; until lifted', async () => {
    const mine = [await signFile(daemon.socket, 'agt-test', subject), await signFile(daemon.socket, 'agt-test', other)];
    const bystander = await signFile(daemon.socket, 'agt-bystander', subject);
    const { stdout } = await cli('revoke', '--actor', 'agt-test', '--reason', 'stolen');
    expect(stdout).toMatch(/^revoked \d+ certificates still valid · ledger \d+\n/);
    expect(stdout).toContain('agt-test gets nothing new until: warden revoke --lift --actor agt-test\n');
    for (const { certificate } of mine) expect(await isRevoked(certificate)).toBe(true);
    expect(await isRevoked(bystander.certificate)).toBe(false);
    for (const purpose of [Purpose.SIGN, Purpose.ISSUE]) {
      const error = await refusalOf(client.sign({ purpose }));
      expect(error).toMatchObject({ reason: 'actor_revoked' });
    }
    expect(await records(daemon.house, { reason: 'actor_revoked', kind: 'issue' })).toHaveLength(1);
    await client.sign({ actor: 'agt-bystander' });
    expect((await client.status()).notices).toContain('revoked actors: agt-test');
    await restart('SIGKILL');
    expect(await refusalOf(client.sign())).toMatchObject({ reason: 'actor_revoked' });
    expect((await cli('revoke', '--lift', '--actor', 'agt-test')).code).toBe(0);
    await client.sign();
    for (const { certificate } of mine) expect(await isRevoked(certificate)).toBe(true);
    const again = await cli('revoke', '--lift', '--actor', 'agt-test');
    expect({ code: again.code, stderr: again.stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('agt-test is not revoked'),
    });
  });

  test('whatever was issued since a time', async () => {
    const before = await signFile(daemon.socket, 'agt-since', subject);
    const [last] = (await records(daemon.house)).slice(-1);
    const since = new Date(Date.parse(last?.time ?? '') + 1).toISOString();
    let after = await signFile(daemon.socket, 'agt-since', subject);
    while (Date.parse((await records(daemon.house)).at(-1)?.time ?? '') < Date.parse(since))
      after = await signFile(daemon.socket, 'agt-since', subject);
    expect((await cli('revoke', '--since', since)).code).toBe(0);
    expect([await isRevoked(before.certificate), await isRevoked(after.certificate)]).toEqual([false, true]);
    await client.sign({ actor: 'agt-since' });
  });

  test('the ledger is what holds: with the state file bent or gone, and with the list gone, all is as it was', async () => {
    const old = readFileSync(join(daemon.state, 'restraints.json'));
    const gone = await signFile(daemon.socket, 'agt-since', subject);
    await cli('revoke', '--serial', gone.evidence.serial);
    await cli('revoke', '--actor', 'agt-since');
    const list = parseRevocationList(readFileSync(krlFile()));
    client.close();
    await daemon.stop();
    for (const spoil of [
      // As a daemon leaves it that was killed between the record and the file.
      () => writeFileSync(join(daemon.state, 'restraints.json'), old),
      () => rmSync(join(daemon.state, 'restraints.json')),
      () => writeFileSync(join(daemon.state, 'restraints.json'), '{"version":1}'),
      () => rmSync(krlFile()),
    ]) {
      spoil();
      daemon = await startDaemon({ house: daemon.house });
      const now = parseRevocationList(readFileSync(krlFile()));
      expect(now.certificates).toEqual(list.certificates);
      expect(now.number).toBeGreaterThanOrEqual(list.number);
      client = await Client.open(daemon.socket);
      expect(await refusalOf(client.sign({ actor: 'agt-since' }))).toMatchObject({ reason: 'actor_revoked' });
      client.close();
      await daemon.stop();
    }
    daemon = await startDaemon({ house: daemon.house });
    client = await Client.open(daemon.socket);
    expect(existsSync(krlFile())).toBe(true);
  });

  test.each([
    ['nothing is named', [], 2, 'nothing is named to revoke'],
    [
      'two ways at once',
      ['--actor', 'agt-test', '--since', '1h'],
      2,
      '--actor, --since and single certificates exclude each other',
    ],
    ['serial 0', ['--serial', '0'], 2, '--serial "0" is no serial'],
    ['a serial beyond 64 bits', ['--serial', '18446744073709551616'], 2, 'is no serial'],
    ['a name that nobody knows', ['--actor', 'agt-tset'], 1, 'neither the inventory nor the ledger knows agt-tset'],
    ['a fingerprint of another form', ['--fingerprint', 'MD5:aa'], 2, 'a fingerprint is not SHA256: and 43 characters'],
  ])('is refused where %s', async (_, args, code, message) => {
    const result = await cli('revoke', ...args);
    expect(result).toMatchObject({ code, stderr: expect.stringContaining(message) });
  });

  test('a host that reads the list lets a revoked certificate in no more', async () => {
    const host = await Sshd.make({
      trusts: [readFileSync(join(daemon.house.config, 'ca_ed25519.pub'), 'utf8').trim()],
      principals: ['agt-bystander'],
      config: [`RevokedKeys ${krlFile()}`],
    });
    try {
      const gone = await signFile(daemon.socket, 'agt-bystander', subject);
      const kept = await signFile(daemon.socket, 'agt-bystander', other);
      const login = ({ certificate, subject: { file } }: typeof gone) => host.login({ key: file, certificate });
      expect(await login(gone)).toMatchObject({ code: 0, stdout: 'ok\n' });
      await cli('revoke', '--serial', gone.evidence.serial);
      const out = await login(gone);
      expect(out).toMatchObject({ code: 255 });
      expect(out.log).toMatch(/revoked by file/);
      expect(await login(kept)).toMatchObject({ code: 0, stdout: 'ok\n' });
    } finally {
      host.remove();
    }
  });

  test('$ warden krl gives the same bytes to anyone', async () => {
    const file = join(daemon.house.folder, 'fetched.krl');
    expect((await cli('krl', '-o', file)).stdout).toMatch(
      /fetched\.krl: list \d+, \d+ certificates revoked one by one\n$/,
    );
    expect(readFileSync(file)).toEqual(readFileSync(krlFile()));
    const { list } = json(await cli('krl', '--json'));
    expect(Buffer.from(String(list), 'base64')).toEqual(readFileSync(krlFile()));
  });

  test('the ledger is whole after all that', async () => {
    expect(await findings(daemon.house)).toEqual([]);
  });
});

describe('who may', () => {
  test.each(['revoke', 'lockdown'] as const)(
    'only administrators may %s, and the refusal is recorded',
    async (kind) => {
      const house = houseOf('test', `admins: [{ uid: ${uid + 4242} }]\n`, INVENTORY);
      const stranger = await startDaemon({ house });
      try {
        const args = kind === 'revoke' ? ['revoke', '--actor', 'agt-test'] : ['lockdown'];
        const result = await warden(args, { env: { WARDEN_SOCKET: stranger.socket } });
        expect(result.code).toBe(1);
        expect(result.stderr).toContain('why: not_administrator · ledger ');
        expect(await records(house, { kind })).toMatchObject([{ outcome: 'refused', reason: 'not_administrator' }]);
        expect((await warden(['krl', '-o', '-'], { env: { WARDEN_SOCKET: stranger.socket } })).code).toBe(0);
      } finally {
        await clear(stranger);
      }
    },
  );
});
