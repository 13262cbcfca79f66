import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CertificateOptions } from '../../src/inventory/actor.ts';
import { checkIssued, checkIssuedOffLoop } from '../../src/signing/check-issued.ts';
import { LocalAuthority } from '../../src/signing/local-authority.ts';
import { formatCertificateLine, parseCertificate } from '../../src/ssh/certificate.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { KEY_KINDS, type KeyKind } from '../../src/ssh/generate-key.ts';
import type { PublicKey } from '../../src/ssh/public-key.ts';
import { failure, finished, keyOf, skEcdsa, skEd25519 } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const CONTEXT = { requestId: 'r' };

const SUBJECTS: [string, () => Promise<PublicKey>][] = [
  ...KEY_KINDS.map((kind): [string, () => Promise<PublicKey>] => [kind, async () => (await keyOf(kind)).publicKey]),
  ['sk-ed25519', skEd25519],
  ['sk-ecdsa', skEcdsa],
];
const PAIRS = KEY_KINDS.flatMap((ca) => SUBJECTS.map(([name, subject]) => [name, ca, subject] as const));

async function authorityOf(kind: KeyKind): Promise<LocalAuthority> {
  return new LocalAuthority({ key: await keyOf(kind), custody: 'memory' });
}

/** What ssh-keygen reads in it; it refuses one whose signature is bad. */
function listed(name: string, blob: Buffer): string {
  const path = join(folder, `${name}-cert.pub`);
  writeFileSync(path, `${formatCertificateLine(blob)}\n`);
  return execFileSync('ssh-keygen', ['-L', '-f', path], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('a certificate of the local authority', () => {
  test.each(PAIRS)('for a %s key by a %s CA is what ssh-keygen reads as planned', async (name, ca, subject) => {
    const authority = await authorityOf(ca);
    const publicKey = await subject();
    const plan = finished(publicKey);
    const blob = await authority.certify(plan, CONTEXT);
    const certificate = checkIssued(blob, plan, authority);
    expect(certificate.serial).toBe(77n);
    expect(await checkIssuedOffLoop(blob, plan, authority)).toEqual(certificate);

    const text = listed(`${name}-${ca}`, blob);
    expect(text).toContain('user certificate');
    expect(text).toContain(`${fingerprint(publicKey.blob)}\n`);
    const [key] = authority.keys();
    expect(text).toContain(
      `${fingerprint(key?.publicKey.blob ?? Buffer.alloc(0))} (using ${certificate.signatureAlgorithm})`,
    );
    expect(text).toContain(`Key ID: "${plan.keyId}"`);
    expect(text).toContain('Serial: 77\n');
    expect(text).toContain('Valid: from 2026-11-22T09:59:00 to 2026-11-22T18:00:00\n');
    expect(text).toMatch(
      /Principals: \n\s+agt-task-bridge\n\s+agt-state\n\s+Critical Options: \(none\)\n\s+Extensions: \(none\)/,
    );
  });

  test('rsa signs with rsa-sha2-512, never with SHA-1', async () => {
    const authority = await authorityOf('rsa-3072');
    const plan = finished((await keyOf('ed25519')).publicKey);
    expect(parseCertificate(await authority.certify(plan, CONTEXT)).signatureAlgorithm).toBe('rsa-sha2-512');
  });

  test('carries options and extensions as sshd knows them', async () => {
    const options: CertificateOptions = {
      sourceAddress: '10.0.0.0/8,2001:db8::/32',
      forceCommand: '/usr/bin/true "a b"',
      verifyRequired: true,
      extensions: ['permit-agent-forwarding', 'permit-pty'],
    };
    const authority = await authorityOf('ed25519');
    const plan = finished(await skEcdsa(), { options });
    const blob = await authority.certify(plan, CONTEXT);
    checkIssued(blob, plan, authority);
    const text = listed('options', blob);
    expect(text.slice(text.indexOf('Critical')).replaceAll(/\s+/g, ' ').trim()).toBe(
      'Critical Options: force-command /usr/bin/true "a b" source-address 10.0.0.0/8,2001:db8::/32 verify-required ' +
        'Extensions: permit-agent-forwarding permit-pty',
    );
  });

  test('has a nonce of its own each time', async () => {
    const authority = await authorityOf('ed25519');
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    const nonces = new Set<string>();
    for (let i = 0; i < 300; i++) {
      nonces.add(parseCertificate(await authority.certify(plan, CONTEXT)).nonce.toString('hex'));
    }
    expect(nonces.size).toBe(300);
    expect([...nonces].every((nonce) => nonce.length === 64 && !/^(..)\1*$/.test(nonce))).toBe(true);
  });

  test('with a flipped bit in its signature is refused by ssh-keygen, so the checks above can fail', async () => {
    const authority = await authorityOf('ed25519');
    const blob = await authority.certify(finished((await keyOf('ecdsa-p256')).publicKey), CONTEXT);
    blob.writeUInt8((blob.at(-1) ?? 0) ^ 1, blob.length - 1);
    expect(() => listed('flipped', blob)).toThrow();
  });

  test('is not made from a plan that has no serial or no key id', async () => {
    const authority = await authorityOf('ed25519');
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    for (const draft of [
      { ...plan, serial: null },
      { ...plan, keyId: '' },
    ]) {
      expect((await failure(() => authority.certify(draft, CONTEXT))).code).toBe('internal');
    }
  });

  test('is not made for a request that was given up', async () => {
    const authority = await authorityOf('ed25519');
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    const error = await failure(() => authority.certify(plan, { requestId: 'r', signal: AbortSignal.abort() }));
    expect(error.code).toBe('deadline_exceeded');
  });

  test('waits with no more than 1024 others, beside the two being signed: beyond that the answer is "busy", and later ones are served again', async () => {
    const authority = await authorityOf('ecdsa-p384');
    const plan = finished((await keyOf('ed25519')).publicKey);
    const results = await Promise.allSettled(Array.from({ length: 1032 }, () => authority.certify(plan, CONTEXT)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(6);
    expect(refused[0]?.reason).toMatchObject({ code: 'ca_unavailable' });
    expect(checkIssued(await authority.certify(plan, CONTEXT), plan, authority).serial).toBe(77n);
  });
});
