import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import {
  assembleCertificate,
  type Certificate,
  type CertificateFields,
  encodeToBeSigned,
  formatCertificateLine,
  parseCertificate,
  parseCertificateLine,
  verifyCertificate,
} from '../../src/ssh/certificate.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import type { KeyAlgorithm } from '../../src/ssh/public-key.ts';
import { signatureAlgorithmOf } from '../../src/ssh/signature.ts';
import { WireWriter } from '../../src/ssh/wire.ts';
import { certificateTexts, certify, FOREVER } from '../support/ssh-certificates.ts';
import { readWithOpenSsh } from '../support/ssh-fingerprints.ts';
import { sshKeygenOk } from '../support/ssh-keygen.ts';
import { ALL_ALGORITHMS, allTestKeys, keyFolder, type TestKey, testKey } from '../support/ssh-keys.ts';

let subjects: TestKey[] = [];
let authorities: TestKey[] = [];
beforeAll(async () => {
  subjects = await allTestKeys('subject');
  authorities = await allTestKeys('ca');
});

const PRINTED_TYPES: Record<KeyAlgorithm, string> = {
  'ssh-ed25519': 'ED25519',
  'ecdsa-sha2-nistp256': 'ECDSA',
  'ecdsa-sha2-nistp384': 'ECDSA',
  'ecdsa-sha2-nistp521': 'ECDSA',
  'ssh-rsa': 'RSA',
  'sk-ssh-ed25519@openssh.com': 'ED25519-SK',
  'sk-ecdsa-sha2-nistp256@openssh.com': 'ECDSA-SK',
};

/** What `ssh-keygen -L` prints of these lines, which it must all read. */
async function printWithOpenSsh(lines: readonly string[]): Promise<string[]> {
  const file = join(mkdtempSync(join(keyFolder(), 'batch-')), 'certificates');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const blocks = (await sshKeygenOk(['-L', '-f', file])).split(`${file}:`).slice(1);
  // Each is headed by the file's name and, but for the first, its line number.
  return blocks.map((block) => block.slice(block.indexOf('\n') + 1));
}

const INDENT = ' '.repeat(16);

/** How `ssh-keygen -L` prints what we meant, letter by letter. */
function expectedPrint(fields: CertificateFields): string {
  const of = fields.publicKey;
  const by = fields.signatureKey;
  const list = (title: string, entries: readonly string[]): string =>
    entries.length === 0
      ? `${title}: (none)\n`
      : `${title}: \n${entries.map((entry) => `${INDENT}${entry}\n`).join('')}`;
  return [
    `Type: ${certificateWord(of.algorithm)} ${fields.kind} certificate\n`,
    `Public key: ${PRINTED_TYPES[of.algorithm]}-CERT ${fingerprint(of.blob)}\n`,
    `Signing CA: ${PRINTED_TYPES[by.algorithm]} ${fingerprint(by.blob)} (using ${signatureAlgorithmOf(by)})\n`,
    `Key ID: "${fields.keyId}"\n`,
    `Serial: ${fields.serial}\n`,
    `Valid: ${validity(fields.validAfter, fields.validBefore)}\n`,
    list('Principals', fields.principals),
    list('Critical Options', options(fields.criticalOptions)),
    list('Extensions', options(fields.extensions)),
  ]
    .map((line) => `        ${line}`)
    .join('');
}

function certificateWord(algorithm: KeyAlgorithm): string {
  return algorithm.includes('@')
    ? algorithm.replace('@openssh.com', '-cert-v01@openssh.com')
    : `${algorithm}-cert-v01@openssh.com`;
}

function validity(after: bigint, before: bigint): string {
  const time = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (after === 0n && before === FOREVER) return 'forever';
  if (after === 0n) return `before ${time(before)}`;
  if (before === FOREVER) return `after ${time(after)}`;
  return `from ${time(after)} to ${time(before)}`;
}

/** sshd's own flags stand alone; others are marked as unknown. */
function options(list: CertificateFields['extensions']): string[] {
  return list
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      if (name.includes('@')) return `${name} UNKNOWN FLAG OPTION`;
      return value === '' ? name : `${name} ${value}`;
    });
}

describe('ssh-keygen prints of every certificate what was planned', () => {
  const pairs = ALL_ALGORITHMS.flatMap((_, of) => ALL_ALGORITHMS.map((__, by) => [of, by] as const));

  test('for a thousand certificates of all types by all types', async () => {
    const texts = fc.sample(certificateTexts, { numRuns: 1029 });
    const fields = texts.map((text, i): [CertificateFields, TestKey] => {
      const [of, by] = pairs[i % pairs.length] ?? [0, 0];
      const [subject, authority] = [subjects[of], authorities[by]];
      if (subject === undefined || authority === undefined) throw new Error('keys are missing');
      return [{ ...text, publicKey: subject.publicKey, signatureKey: authority.publicKey }, authority];
    });
    const lines = fields.map(([what, authority]) => formatCertificateLine(certify(what, authority), 'planned'));
    const printed = await printWithOpenSsh(lines);
    expect(printed).toHaveLength(fields.length);
    for (const [i, [what]] of fields.entries()) expect(printed[i]).toBe(expectedPrint(what));
  });
});

describe('what ssh-keygen issues is read, verified and written again to the same bytes', () => {
  const plans: [name: string, args: string[]][] = [
    ['for ever', ['-n', 'a', '-V', 'always:forever']],
    ['with a window', ['-n', 'a,b,c d', '-V', '20260101000000Z:20270101000000Z']],
    ['with the largest serial', ['-n', 'a', '-z', '18446744073709551615']],
    [
      'with all critical options',
      [
        '-n',
        'a',
        '-O',
        'force-command=/bin/echo "x"',
        '-O',
        'source-address=10.0.0.0/8,::1/128',
        '-O',
        'verify-required',
      ],
    ],
    ['with one extension', ['-n', 'a', '-O', 'clear', '-O', 'permit-pty']],
    ['with none', ['-n', 'a', '-O', 'clear']],
    ['with extensions of others', ['-n', 'a', '-O', 'extension:flag@example.net']],
    ['for a host', ['-h', '-n', 'host.example.net']],
  ];
  const cases = ALL_ALGORITHMS.filter((by) => !by.startsWith('sk-')).flatMap((by) =>
    plans.map(([name, args]) => ({ by, name, args })),
  );

  test.each(cases)('by $by, $name', async ({ by, args }) => {
    for (const certificate of await issue(by, args)) {
      expect(verifyCertificate(certificate)).toBe(true);
      expect(encodeToBeSigned(certificate)).toEqual(certificate.tbs);
      expect(assembleCertificate(certificate.tbs, certificate.signature)).toEqual(certificate.blob);
    }
  });

  test('with values of others’ options, which are read but never written', async () => {
    const args = ['-n', 'a', '-O', 'critical:must@example.net=1', '-O', 'extension:login@example.net=zoë'];
    for (const certificate of await issue('ssh-ed25519', args)) {
      expect(verifyCertificate(certificate)).toBe(true);
      expect(certificate.criticalOptions).toEqual([['must@example.net', '1']]);
      expect(certificate.extensions).toContainEqual(['login@example.net', 'zoë']);
    }
  });

  test('without principals, which are read but never written', async () => {
    for (const certificate of await issue('ssh-ed25519', [])) {
      expect(verifyCertificate(certificate)).toBe(true);
      expect(certificate.principals).toEqual([]);
    }
  });

  test('with rsa-sha2-256', async () => {
    for (const certificate of await issue('ssh-rsa', ['-t', 'rsa-sha2-256', '-n', 'a'])) {
      expect(certificate.signatureAlgorithm).toBe('rsa-sha2-256');
      expect(verifyCertificate(certificate)).toBe(true);
    }
  });

  test('but a signature with SHA-1 is good for nothing', async () => {
    for (const certificate of await issue('ssh-rsa', ['-t', 'ssh-rsa', '-n', 'a'])) {
      expect(certificate.signatureAlgorithm).toBe('ssh-rsa');
      expect(verifyCertificate(certificate)).toBe(false);
    }
  });
});

/** One certificate over every subject type, by one ssh-keygen. */
async function issue(by: KeyAlgorithm, args: readonly string[]): Promise<Certificate[]> {
  const authority = await testKey(by, 'ca');
  const folder = mkdtempSync(join(keyFolder(), 'issue-'));
  const stems = subjects.map((subject, i) => {
    const stem = join(folder, `subject-${i}`);
    if (subject.file === null) writeFileSync(`${stem}.pub`, `${subject.line}\n`);
    else copyFileSync(`${subject.file}.pub`, `${stem}.pub`);
    return stem;
  });
  await sshKeygenOk(['-q', '-s', authority.file ?? '', '-I', 'key id', ...args, ...stems.map((stem) => `${stem}.pub`)]);
  return stems.map((stem) => parseCertificateLine(readFileSync(`${stem}-cert.pub`, 'utf8')));
}

/** Everything that we refuse in rightly signed certificates and ssh-keygen reads. */
const REFUSED_BEYOND_OPENSSH: readonly [reason: string, message: RegExp][] = [
  ['options that are not sorted and unique', /are not sorted and unique$/],
  ['a long nonce', /^the nonce is \d+ bytes long/],
  ['text that is not UTF-8', /is not UTF-8$/],
  ['names of options that are empty or unprintable', /is empty or not printable$/],
  ['option data that is no string', /^a value among the .* is cut short/],
  ['bytes after the string in option data', /bytes follow a value among the/],
  ['an empty string for an option value', /is an empty string where no data is meant$/],
  ['NUL bytes in option values', /^a value among the .* holds a NUL byte$/],
  // Elsewhere OpenSSH lets one NUL byte stand at the end of a text, and reads the text without it.
  ['a NUL byte at the end of other texts', /^(?!a value).* holds a NUL byte$/],
  ['force-command without a command', /^force-command has no command$/],
  ['a value for verify-required', /^verify-required takes no value$/],
  ['a malformed source-address', /^source-address is not/],
  ['something in the reserved field', /^the reserved field is not empty$/],
  ['a window that ends before it begins', /^validity ends before it begins$/],
  ['weak keys', /^a key in the certificate is refused: the ed25519 key is a point of small order/],
];

/** The fields of a certificate, any of which may be wrong; `cut` is how many bytes are taken off its end. */
interface Odd {
  nonce: Buffer;
  point: Buffer;
  kind: number;
  keyId: Buffer;
  principals: Buffer;
  window: [bigint, bigint];
  critical: Buffer;
  extensions: Buffer;
  reserved: Buffer;
  trailing: Buffer;
  cut: number;
}

describe('rightly signed certificates of every odd form are read alike, but for the listed reasons', () => {
  const strings = (...parts: (Uint8Array | string)[]): Buffer => {
    const writer = new WireWriter();
    for (const part of parts) writer.string(part);
    return writer.finish();
  };
  const rarely = <T>(plain: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
    fc.oneof({ weight: 12, arbitrary: fc.constant(plain) }, { weight: 1, arbitrary: odd });
  const bytes = (max: number): fc.Arbitrary<Buffer> =>
    fc.uint8Array({ maxLength: max }).map((value) => Buffer.from(value));
  const data = fc.oneof(
    { weight: 3, arbitrary: fc.constant(Buffer.alloc(0)) },
    { weight: 3, arbitrary: fc.constantFrom('10.0.0.1', 'x', '', 'a\0b').map((text) => strings(text)) },
    { weight: 1, arbitrary: bytes(6) },
    { weight: 1, arbitrary: fc.constant(strings('a', 'b')) },
  );
  const names = fc.constantFrom(
    'force-command',
    'source-address',
    'verify-required',
    'permit-pty',
    'a@b',
    '',
    'a b',
    'é',
    '\u200b',
  );
  const optionList = fc.array(fc.tuple(names, data), { maxLength: 3 }).map((list) => strings(...list.flat()));
  const plain: Odd = {
    nonce: Buffer.alloc(32),
    point: Buffer.alloc(32, 9),
    kind: 1,
    keyId: Buffer.from('id'),
    principals: strings('a'),
    window: [1n, 2n],
    critical: Buffer.alloc(0),
    extensions: Buffer.alloc(0),
    reserved: Buffer.alloc(0),
    trailing: Buffer.alloc(0),
    cut: 0,
  };
  /** One for each reason on the list, so that the list is met whatever chance brings. */
  const listed: Partial<Odd>[] = [
    { extensions: strings('b', '', 'a', '') },
    { nonce: Buffer.alloc(300) },
    { keyId: Buffer.from([0xff]) },
    { keyId: Buffer.from('a\0') },
    // What ssh-keygen prints of it goes over several lines.
    { keyId: Buffer.from('a\nb\n(ED25519)\n') },
    { extensions: strings('', '') },
    { critical: strings('a', 'x') },
    { critical: strings('a', strings('x', '')) },
    { extensions: strings('a', strings('')) },
    { extensions: strings('a', strings('x\0')) },
    { critical: strings('force-command', '') },
    { critical: strings('verify-required', strings('x')) },
    { critical: strings('source-address', strings('*')) },
    { reserved: Buffer.from('x') },
    { window: [2n, 1n] },
    { point: Buffer.alloc(32) },
  ];
  const odd: fc.Arbitrary<Odd> = fc.record({
    nonce: rarely(plain.nonce, fc.oneof(bytes(40), fc.constant(Buffer.alloc(300)))),
    point: rarely(plain.point, fc.oneof(bytes(40), fc.constant(Buffer.alloc(32)))),
    kind: rarely(plain.kind, fc.constantFrom(0, 2, 3, 0xffffffff)),
    keyId: rarely(plain.keyId, bytes(6)),
    principals: rarely(
      plain.principals,
      fc.oneof(
        fc.constant(Buffer.alloc(0)),
        fc.constantFrom(255, 256, 257).map((count) => strings(...Array.from({ length: count }, (_, i) => `p${i}`))),
        fc.constantFrom('', 'a,b', 'a\0b', 'a b', '\u200b').map((name) => strings(name)),
        bytes(8),
      ),
    ),
    window: rarely<[bigint, bigint]>(
      plain.window,
      fc.constantFrom<[bigint, bigint]>([2n, 1n], [2n, 2n], [0n, 0n], [FOREVER, FOREVER]),
    ),
    critical: rarely(plain.reserved, fc.oneof(optionList, bytes(12))),
    extensions: rarely(plain.reserved, fc.oneof(optionList, bytes(12))),
    reserved: rarely(plain.reserved, bytes(4)),
    trailing: rarely(plain.reserved, bytes(4)),
    cut: rarely(plain.cut, fc.nat(8)),
  });

  test('for two thousand of them', async () => {
    const authority = await testKey('ssh-ed25519', 'ca');
    const blobs = [...listed.map((it) => ({ ...plain, ...it })), ...fc.sample(odd, { numRuns: 2000 })].map((it) => {
      const writer = new WireWriter()
        .string('ssh-ed25519-cert-v01@openssh.com')
        .string(it.nonce)
        .string(it.point)
        .uint64(1n);
      writer.uint32(it.kind).string(it.keyId).string(it.principals).uint64(it.window[0]).uint64(it.window[1]);
      writer.string(it.critical).string(it.extensions).string(it.reserved).string(authority.publicKey.blob);
      const tbs = writer.finish();
      const whole = Buffer.concat([assembleCertificate(tbs, authority.sign(tbs)), it.trailing]);
      return whole.subarray(0, whole.length - it.cut);
    });
    const lines = blobs.map((blob) => `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}`);
    const readings = await readWithOpenSsh(lines);
    const tally = { accepted: 0, refusedAlike: 0, beyond: new Set<string>() };
    for (const [i, blob] of blobs.entries()) {
      const theirs = readings[i] ?? null;
      const ours = readWithOurs(blob);
      if (!(ours instanceof WardenError)) {
        expect(theirs?.type, blob.toString('base64')).toBe('ED25519-CERT');
        expect(theirs?.fingerprint).toBe(fingerprint(ours.publicKey.blob));
        tally.accepted++;
      } else if (theirs === null) {
        tally.refusedAlike++;
      } else {
        const known = REFUSED_BEYOND_OPENSSH.find(([, message]) => message.test(ours.message));
        expect(known, `ssh-keygen reads it and we say "${ours.message}": ${blob.toString('base64')}`).toBeDefined();
        tally.beyond.add(known?.[0] ?? '');
      }
    }
    expect(tally.accepted).toBeGreaterThan(200);
    expect(tally.refusedAlike).toBeGreaterThan(200);
    expect([...tally.beyond].sort()).toEqual(REFUSED_BEYOND_OPENSSH.map(([reason]) => reason).sort());
  });
});

function readWithOurs(blob: Buffer): Certificate | WardenError {
  try {
    return parseCertificate(blob);
  } catch (error) {
    if (error instanceof WardenError) return error;
    throw error;
  }
}
