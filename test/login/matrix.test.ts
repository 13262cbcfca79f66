import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import type { KeyAlgorithm } from '../../src/ssh/public-key.ts';
import { type RunningAgent, startAgent } from '../signing/support/agent.ts';
import { warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { skProvider } from '../support/sk-provider/sk-provider.ts';
import { ALL_ALGORITHMS, keyFolder, testKey } from '../support/ssh-keys.ts';
import { LOGIN_USER, Sshd } from '../support/sshd.ts';
import { accepted } from './support/accepted.ts';
import { readCertificate } from './support/read-certificate.ts';
import { publishedKeys, sign } from './support/sign.ts';
import { makeSubject, type Subject } from './support/subjects.ts';

const AUTHORITIES = [
  { algorithm: 'ssh-ed25519', log: 'ED25519', signs: 'ssh-ed25519' },
  { algorithm: 'ecdsa-sha2-nistp256', log: 'ECDSA', signs: 'ecdsa-sha2-nistp256' },
  { algorithm: 'ecdsa-sha2-nistp384', log: 'ECDSA', signs: 'ecdsa-sha2-nistp384' },
  { algorithm: 'ecdsa-sha2-nistp521', log: 'ECDSA', signs: 'ecdsa-sha2-nistp521' },
  { algorithm: 'ssh-rsa', log: 'RSA', signs: 'rsa-sha2-512' },
] as const satisfies { algorithm: KeyAlgorithm; log: string; signs: string }[];

/** The certificate's type word, and what ssh-keygen and sshd call it. */
const SUBJECTS: Record<KeyAlgorithm, { readonly word: string; readonly log: string }> = {
  'ssh-ed25519': { word: 'ssh-ed25519-cert-v01@openssh.com', log: 'ED25519-CERT' },
  'ecdsa-sha2-nistp256': { word: 'ecdsa-sha2-nistp256-cert-v01@openssh.com', log: 'ECDSA-CERT' },
  'ecdsa-sha2-nistp384': { word: 'ecdsa-sha2-nistp384-cert-v01@openssh.com', log: 'ECDSA-CERT' },
  'ecdsa-sha2-nistp521': { word: 'ecdsa-sha2-nistp521-cert-v01@openssh.com', log: 'ECDSA-CERT' },
  'ssh-rsa': { word: 'ssh-rsa-cert-v01@openssh.com', log: 'RSA-CERT' },
  'sk-ssh-ed25519@openssh.com': { word: 'sk-ssh-ed25519-cert-v01@openssh.com', log: 'ED25519-SK-CERT' },
  'sk-ecdsa-sha2-nistp256@openssh.com': {
    word: 'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
    log: 'ECDSA-SK-CERT',
  },
};

const INVENTORY = `version: 1
actors:
  - { name: agt-login, type: agt, principals: [deploy, backup], ttl_hours: 2, options: { extensions: [permit-pty] } }
`;

type Custody = 'file' | 'agent';
const where = (custody: Custody, algorithm: KeyAlgorithm): string => `${custody}: ${algorithm}`;

const daemons = new Map<string, RunningDaemon>();
const subjects = new Map<KeyAlgorithm, Subject>();
/** Serials that sshd accepted, by daemon. */
const seen = new Map<string, string[]>();
let agent: RunningAgent;
let host: Sshd;

beforeAll(async () => {
  for (const algorithm of ALL_ALGORITHMS) subjects.set(algorithm, await makeSubject(algorithm, 'subject'));
  agent = await startAgent(join(keyFolder(), 'agent.sock'));
  for (const { algorithm } of AUTHORITIES) {
    const ca = await testKey(algorithm, 'ca');
    const held = await testKey(algorithm, 'ca-in-agent');
    agent.add('-q', held.file ?? '');
    const custodies: [Custody, string][] = [
      ['file', ca.file ?? ''],
      ['agent', `agent:${fingerprint(held.publicKey.blob)}`],
    ];
    const started = custodies.map(async ([custody, key]) => {
      const daemon = await startDaemon({
        warden: `version: 1\nposture: test\nca: { key: "${key}" }\n`,
        inventory: INVENTORY,
        env: { SSH_AUTH_SOCK: agent.socket },
      });
      daemons.set(where(custody, algorithm), daemon);
    });
    await Promise.all(started);
  }
  const trusts = await Promise.all([...daemons.values()].map(({ socket }) => publishedKeys(socket)));
  host = await Sshd.make({ trusts: trusts.flat(), principals: ['deploy'] });
});

afterAll(async () => {
  await agent?.stop();
  for (const daemon of daemons.values()) {
    await daemon.stop();
    daemon.house.remove();
  }
  host?.remove();
});

const row = ({ algorithm: ca, log, signs }: (typeof AUTHORITIES)[number], custody: Custody, subject: KeyAlgorithm) => ({
  name: `a ${subject} key, certified by a ${ca} CA in ${custody === 'file' ? 'a file' : 'an ssh-agent'}`,
  ...{ ca, log, signs, custody, subject },
});
const rows = AUTHORITIES.flatMap((ca) => [
  ...ALL_ALGORITHMS.map((subject) => row(ca, 'file', subject)),
  // Who holds the CA key does not change the certificate: one subject shows that each type can be held there.
  row(ca, 'agent', 'ssh-ed25519'),
]);

describe.concurrent('real ssh logs in with', () => {
  test.each(rows.map((one) => [one.name, one] as const))(
    '%s',
    async (_, { ca, custody, log, signs, subject: algorithm }) => {
      const daemon = daemons.get(where(custody, ca));
      const subject = subjects.get(algorithm);
      if (daemon === undefined || subject === undefined) throw new Error('set-up is incomplete');
      const authority = await testKey(ca, custody === 'file' ? 'ca' : 'ca-in-agent');
      const caFingerprint = fingerprint(authority.publicKey.blob);

      const { certificate, evidence } = await sign(daemon.socket, 'agt-login', subject);
      expect(evidence).toMatchObject({
        fingerprint: subject.fingerprint,
        ca_fingerprint: caFingerprint,
        key_id: expect.stringMatching(/^agt-login\/[0-9a-f-]{36}\/-$/),
      });
      const { valid_after: after, valid_before: before } = evidence;
      expect((Date.parse(before) - Date.parse(after)) / 1000).toBe(2 * 3600 + 60);
      expect(await readCertificate(certificate)).toEqual({
        type: `${SUBJECTS[algorithm].word} user certificate`,
        publicKey: `${SUBJECTS[algorithm].log} ${subject.fingerprint}`,
        signingCa: `${log} ${caFingerprint} (using ${signs})`,
        keyId: evidence.key_id,
        serial: evidence.serial,
        validAfter: after.replace('.000', ''),
        validBefore: before.replace('.000', ''),
        principals: ['deploy', 'backup'],
        criticalOptions: [],
        extensions: ['permit-pty'],
      });

      const login = await host.login({
        key: subject.file,
        certificate,
        command: 'echo logged in as $(id -un)',
        options: [`-oSecurityKeyProvider=${await skProvider()}`],
      });
      expect(login, login.stderr + login.log).toMatchObject({ code: 0, stdout: `logged in as ${LOGIN_USER}\n` });
      expect(accepted(login.log)).toEqual({
        user: LOGIN_USER,
        keyType: SUBJECTS[algorithm].log,
        fingerprint: evidence.fingerprint,
        keyId: evidence.key_id,
        serial: evidence.serial,
        caType: log,
        caFingerprint,
      });
      const serials = seen.get(where(custody, ca)) ?? [];
      seen.set(where(custody, ca), [...serials, evidence.serial]);
    },
  );
});

describe('every certificate that sshd let in is on record', () => {
  const all = AUTHORITIES.flatMap(({ algorithm }) => [where('file', algorithm), where('agent', algorithm)]);
  test.each(all)('with the daemon whose CA key is in: %s', async (name) => {
    const env = { WARDEN_SOCKET: daemons.get(name)?.socket ?? '' };
    const { code, stdout } = await warden(['ledger', 'query', '--actor', 'agt-login', '--json'], { env });
    expect(code).toBe(0);
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line): { serial?: string } => JSON.parse(line));
    expect(records.map(({ serial }) => serial).toSorted()).toEqual((seen.get(name) ?? ['none']).toSorted());
  });
});
