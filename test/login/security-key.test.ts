import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCertificateLine } from '../../src/ssh/certificate.ts';
import { warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { SK_PIN, skProvider } from '../support/sk-provider/sk-provider.ts';
import { certify, plainFields } from '../support/ssh-certificates.ts';
import { testKey } from '../support/ssh-keys.ts';
import { Sshd } from '../support/sshd.ts';
import { accepted } from './support/accepted.ts';
import { readCertificate } from './support/read-certificate.ts';
import { publishedKeys, sign } from './support/sign.ts';
import { makeSubject } from './support/subjects.ts';

const INVENTORY = `version: 1
actors:
  - { name: agt-plain, type: agt, principals: [deploy] }
  - { name: agt-verified, type: agt, principals: [deploy], options: { verify-required: true } }
  - { name: agt-untouched, type: agt, principals: [deploy], options: { extensions: [no-touch-required] } }
`;

interface Row {
  readonly name: string;
  readonly actor: string;
  /** As ssh-keygen -O takes them. */
  readonly key: readonly string[];
  readonly pin: string;
  /** The host's principals file says no-touch-required. */
  readonly lenient?: boolean;
  /** Null: it lets in. */
  readonly refusal: { readonly log: RegExp; readonly stderr: RegExp } | null;
}

const SK_TYPES = ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const;
const NOT_VERIFIED = /rejected: user verification requirement not met/;
const NOT_TOUCHED = /rejected: user presence \(authenticator touch\) requirement not met/;

const rows: readonly Row[] = [
  {
    name: 'verify-required lets in a key that verified its user',
    ...{ actor: 'agt-verified', key: ['verify-required'], pin: SK_PIN, refusal: null },
  },
  {
    name: 'verify-required refuses a key that was only touched',
    ...{ actor: 'agt-verified', key: [], pin: SK_PIN, refusal: { log: NOT_VERIFIED, stderr: /Permission denied/ } },
  },
  {
    name: 'a key that wants a PIN signs nothing for a wrong one',
    ...{ actor: 'agt-verified', key: ['verify-required'], pin: 'synthetic-wrong' },
    refusal: {
      log: /^Connection closed by authenticating user /m,
      stderr: /incorrect passphrase supplied|signing failed/,
    },
  },
  {
    name: 'a key that was not touched is refused, whatever the host would allow',
    ...{ actor: 'agt-plain', key: ['no-touch-required'], pin: SK_PIN, lenient: true },
    refusal: { log: NOT_TOUCHED, stderr: /Permission denied/ },
  },
  {
    name: 'no-touch-required alone does not do without the touch: the host must say so too',
    ...{ actor: 'agt-untouched', key: ['no-touch-required'], pin: SK_PIN },
    refusal: { log: NOT_TOUCHED, stderr: /Permission denied/ },
  },
  {
    name: 'no-touch-required lets in a key that was not touched, where the host says so too',
    ...{ actor: 'agt-untouched', key: ['no-touch-required'], pin: SK_PIN, lenient: true, refusal: null },
  },
];

let daemon: RunningDaemon;
let host: Sshd;
let lenientHost: Sshd;

beforeAll(async () => {
  const ca = await testKey('ecdsa-sha2-nistp256', 'ca');
  const warden = `version: 1\nposture: test\nca: { key: "${ca.file}" }\n`;
  daemon = await startDaemon({ warden, inventory: INVENTORY });
  const trusts = await publishedKeys(daemon.socket);
  host = await Sshd.make({ trusts, principals: ['deploy'] });
  lenientHost = await Sshd.make({ trusts, principals: ['no-touch-required deploy'] });
});

afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
  host?.remove();
  lenientHost?.remove();
});

/** Answers ssh's question for the PIN; what it asks for a touch needs no answer. */
function askpass(name: string, pin: string): string {
  const file = join(daemon.house.folder, name);
  writeFileSync(file, `#!/bin/sh\necho ${pin}\n`);
  chmodSync(file, 0o700);
  return file;
}

describe('verify-required with a key that is no security key', () => {
  test('would ask nothing: sshd lets it in', async () => {
    const [subject, ca] = await Promise.all([testKey('ssh-ed25519', 'ordinary'), testKey('ecdsa-sha2-nistp256', 'ca')]);
    const now = BigInt(Math.floor(Date.now() / 1000));
    const fields = plainFields(subject, ca, {
      ...{ principals: ['deploy'], validAfter: now - 60n, validBefore: now + 3600n },
      criticalOptions: [['verify-required', '']],
    });
    const certificate = `${subject.file}-made-by-hand-cert.pub`;
    writeFileSync(certificate, `${formatCertificateLine(certify(fields, ca))}\n`);
    expect(await readCertificate(certificate)).toMatchObject({ criticalOptions: ['verify-required'] });
    expect(await host.login({ key: subject.file ?? '', certificate })).toMatchObject({ code: 0, stdout: 'ok\n' });
  });

  test('is therefore refused by wardend', async () => {
    const { file } = await makeSubject('ssh-ed25519', 'ordinary');
    const args = ['sign', 'agt-verified', '--pubkey', `${file}.pub`, '--out', '-', '--json'];
    const { code, stdout } = await warden(args, { env: { WARDEN_SOCKET: daemon.socket } });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        reason: 'public_key_unsupported',
        message: 'agt-verified needs a security key that verifies its user, and this is a ssh-ed25519 key',
        hint: 'make one: ssh-keygen -t ed25519-sk -O verify-required',
      },
    });
  });
});

describe.each(SK_TYPES)('with a %s key', (algorithm) => {
  test.each(rows.map((row, index) => [row.name, row, index] as const))('%s', async (_, row, index) => {
    const name = `${algorithm.slice(0, 8)}-${index}`;
    const subject = await makeSubject(algorithm, name, row.key);
    const { certificate, evidence } = await sign(daemon.socket, row.actor, subject);
    expect(await readCertificate(certificate)).toMatchObject({
      criticalOptions: row.actor === 'agt-verified' ? ['verify-required'] : [],
      extensions: row.actor === 'agt-untouched' ? ['no-touch-required'] : [],
    });
    const login = await (row.lenient === true ? lenientHost : host).login({
      key: subject.file,
      certificate,
      options: ['-oBatchMode=no', `-oSecurityKeyProvider=${await skProvider()}`],
      env: { SSH_ASKPASS: askpass(name, row.pin), SSH_ASKPASS_REQUIRE: 'force' },
    });
    if (row.refusal === null) {
      expect(login, login.log).toMatchObject({ code: 0, stdout: 'ok\n' });
      expect(accepted(login.log)).toMatchObject({ keyId: evidence.key_id, fingerprint: subject.fingerprint });
    } else {
      expect(login).toMatchObject({ code: 255, stdout: '' });
      expect(login.stderr).toMatch(row.refusal.stderr);
      expect(login.log).toMatch(row.refusal.log);
      expect(accepted(login.log)).toBeNull();
    }
  });
});
