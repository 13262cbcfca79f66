import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { type TestKey, testKey } from '../support/ssh-keys.ts';
import { Sshd } from '../support/sshd.ts';
import { accepted } from './support/accepted.ts';
import { certifyAt } from './support/certify-at.ts';
import { readCertificate } from './support/read-certificate.ts';
import { makeSubject, type Subject } from './support/subjects.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const EXPIRED = /^Certificate invalid: expired$/m;
const NOT_YET = /^Certificate invalid: not yet valid$/m;

/** `asked` is when it was asked for, from now; validity begins a minute before that. Windows end and begin minutes away from now, so that a slow machine changes nothing. */
const rows = [
  { name: 'in the midst of its validity it lets in', asked: -HOUR, ttl: 2 * HOUR, refusal: null },
  { name: 'expired days ago it is refused', asked: -72 * HOUR, ttl: 8 * HOUR, refusal: EXPIRED },
  { name: 'expired a minute ago it is refused', asked: -HOUR, ttl: 59 * MINUTE, refusal: EXPIRED },
  { name: 'valid from an hour hence it is refused', asked: HOUR, ttl: HOUR, refusal: NOT_YET },
  { name: 'asked for at a clock that is 50 s ahead it lets in at once', asked: 50_000, ttl: HOUR, refusal: null },
  { name: 'asked for at a clock that is minutes ahead it does not', asked: 5 * MINUTE, ttl: HOUR, refusal: NOT_YET },
];

let ca: TestKey;
let subject: Subject;
let host: Sshd;

beforeAll(async () => {
  ca = await testKey('ssh-ed25519', 'ca');
  subject = await makeSubject('ssh-ed25519', 'subject');
  host = await Sshd.make({ trusts: [ca.line], principals: ['deploy'] });
});

afterAll(() => host?.remove());

describe('a certificate', () => {
  test.each(rows.map((row) => [row.name, row] as const))('%s', async (_, { asked, ttl, refusal }) => {
    const now = Date.now() + asked;
    const { file, certificate } = await certifyAt({ ca, subject, now, ttlSeconds: ttl / 1000 });
    const seconds = Math.floor(now / 1000);
    const time = (at: number): string => new Date(at * 1000).toISOString().replace('.000', '');
    expect(await readCertificate(file)).toMatchObject({
      serial: String(certificate.serial),
      validAfter: time(seconds - 60),
      validBefore: time(seconds + ttl / 1000),
    });
    const login = await host.login({ key: subject.file, certificate: file });
    const named = ` ID ${certificate.keyId} (serial ${certificate.serial}) CA ED25519 ${fingerprint(ca.publicKey.blob)}\n`;
    expect(login.log).toContain(named);
    if (refusal === null) {
      expect(login, login.log).toMatchObject({ code: 0, stdout: 'ok\n', stderr: '' });
      expect(accepted(login.log)).toMatchObject({ keyId: certificate.keyId });
    } else {
      expect(login).toMatchObject({
        code: 255,
        stdout: '',
        stderr: expect.stringContaining('Permission denied (publickey).'),
      });
      expect(login.log).toMatch(refusal);
      expect(accepted(login.log)).toBeNull();
    }
  });
});
