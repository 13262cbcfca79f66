import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import {
  assembleCertificate,
  type CertificateFields,
  encodeToBeSigned,
  formatCertificateLine,
  parseCertificate,
  parseCertificateLine,
  verifyCertificate,
} from '../../src/ssh/certificate.ts';
import { WireWriter } from '../../src/ssh/wire.ts';
import { certificateTexts, certify, FOREVER, plainFields } from '../support/ssh-certificates.ts';
import { ALL_ALGORITHMS, allTestKeys, type TestKey, testKey } from '../support/ssh-keys.ts';

let subjects: TestKey[] = [];
let authorities: TestKey[] = [];
let subject: TestKey;
let authority: TestKey;
beforeAll(async () => {
  subjects = await allTestKeys('subject');
  authorities = await allTestKeys('ca');
  subject = await testKey('ssh-ed25519', 'subject');
  authority = await testKey('ssh-ed25519', 'ca');
});

type Changes = Partial<CertificateFields>;

describe('a certificate is not written', () => {
  const long = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);
  const cases: [name: string, changes: Changes, code: string, message: string][] = [
    [
      'without principals (CVE-2024-7594)',
      { principals: [] },
      'disallowed_principal',
      'a certificate without principals would be good for any name',
    ],
    [
      'for a host without principals',
      { kind: 'host', principals: [] },
      'disallowed_principal',
      'a certificate without principals would be good for any name',
    ],
    [
      'with a comma in a principal (GHSA-59w7-v8rr-pr4p)',
      { principals: ['a,root'] },
      'disallowed_principal',
      'a principal holds a comma',
    ],
    [
      'with an empty principal',
      { principals: ['a', ''] },
      'disallowed_principal',
      'a principal is empty or has white space at an end',
    ],
    [
      'with a blank principal',
      { principals: [' '] },
      'disallowed_principal',
      'a principal is empty or has white space at an end',
    ],
    [
      'with white space after a principal',
      { principals: ['root '] },
      'disallowed_principal',
      'a principal is empty or has white space at an end',
    ],
    [
      'with a line end inside a principal',
      { principals: ['a\nroot'] },
      'disallowed_principal',
      'a principal holds control or invisible characters',
    ],
    [
      'with a NUL in a principal',
      { principals: ['root\0x'] },
      'disallowed_principal',
      'a principal holds control or invisible characters',
    ],
    [
      'with an invisible character in a principal',
      { principals: ['ro\u200bot'] },
      'disallowed_principal',
      'a principal holds control or invisible characters',
    ],
    [
      'with half a surrogate pair in a principal',
      { principals: ['a\udc00'] },
      'disallowed_principal',
      'a principal holds control or invisible characters',
    ],
    ['with one principal twice', { principals: ['a', 'b', 'a'] }, 'disallowed_principal', 'a principal stands twice'],
    ['with 257 principals', { principals: long(257) }, 'disallowed_principal', 'there are more than 256 principals'],
    [
      'with a principal of 256 bytes',
      { principals: ['é'.repeat(128)] },
      'disallowed_principal',
      'a principal is longer than 255 bytes',
    ],
    ['with a nonce of 31 bytes', { nonce: Buffer.alloc(31) }, 'invalid_request', 'the nonce is not 32 bytes long'],
    ['with an empty key id', { keyId: '' }, 'invalid_request', 'the key id is empty or not printable ASCII'],
    ['with a key id beyond ASCII', { keyId: 'zoë' }, 'invalid_request', 'the key id is empty or not printable ASCII'],
    [
      'with a line end at the end of the key id',
      { keyId: 'id\n' },
      'invalid_request',
      'the key id is empty or not printable ASCII',
    ],
    [
      'with a key id of 256 bytes',
      { keyId: 'x'.repeat(256) },
      'invalid_request',
      'the key id is longer than 255 bytes',
    ],
    ['with a negative serial', { serial: -1n }, 'invalid_request', 'the serial does not fit into 64 bits'],
    ['with a serial of 65 bits', { serial: FOREVER + 1n }, 'invalid_request', 'the serial does not fit into 64 bits'],
    ['with an empty window', { validAfter: 5n, validBefore: 5n }, 'invalid_request', 'validity ends before it begins'],
    [
      'with a window backwards',
      { validAfter: 6n, validBefore: 5n },
      'invalid_request',
      'validity ends before it begins',
    ],
    [
      'with a window beyond 64 bits',
      { validBefore: FOREVER + 1n },
      'invalid_request',
      'the validity does not fit into 64 bits',
    ],
    [
      'with a window before the epoch',
      { validAfter: -1n },
      'invalid_request',
      'the validity does not fit into 64 bits',
    ],
    [
      'with a critical option that sshd does not know',
      { criticalOptions: [['permit-pty', '']] },
      'invalid_request',
      'a critical option is none that sshd knows',
    ],
    [
      'with force-command and no command',
      { criticalOptions: [['force-command', '']] },
      'invalid_request',
      'force-command has no command',
    ],
    [
      'with a line end in force-command',
      { criticalOptions: [['force-command', 'a\nb']] },
      'invalid_request',
      'force-command holds control or invisible characters',
    ],
    [
      'with a force-command of 8193 bytes',
      { criticalOptions: [['force-command', 'x'.repeat(8193)]] },
      'invalid_request',
      'force-command is longer than 8192 bytes',
    ],
    [
      'with a pattern for source-address',
      { criticalOptions: [['source-address', '10.*']] },
      'invalid_request',
      'source-address is not a comma-separated list of addresses and CIDR blocks',
    ],
    [
      'with an empty source-address',
      { criticalOptions: [['source-address', '']] },
      'invalid_request',
      'source-address is not a comma-separated list of addresses and CIDR blocks',
    ],
    [
      'with white space in source-address',
      { criticalOptions: [['source-address', '10.0.0.1, 10.0.0.2']] },
      'invalid_request',
      'source-address is not a comma-separated list of addresses and CIDR blocks',
    ],
    [
      'with a value for verify-required',
      { criticalOptions: [['verify-required', 'no']] },
      'invalid_request',
      'verify-required takes no value',
    ],
    [
      'with one critical option twice',
      {
        criticalOptions: [
          ['source-address', '::1'],
          ['verify-required', ''],
          ['source-address', '::2'],
        ],
      },
      'invalid_request',
      'source-address stands twice among the critical options',
    ],
    [
      'with one extension twice',
      {
        extensions: [
          ['permit-pty', ''],
          ['permit-pty', ''],
        ],
      },
      'invalid_request',
      'permit-pty stands twice among the extensions',
    ],
    [
      'with a value for an extension',
      { extensions: [['permit-pty', 'no']] },
      'invalid_request',
      'the extension permit-pty takes no value',
    ],
    [
      'with force-command among the extensions, where sshd overlooks it',
      { extensions: [['force-command', '']] },
      'invalid_request',
      'force-command is a critical option, not an extension',
    ],
    [
      'with an extension of no name',
      { extensions: [['', '']] },
      'invalid_request',
      'an extension has a name of other characters than letters, digits and -',
    ],
    [
      'with white space in the name of an extension',
      { extensions: [['permit pty', '']] },
      'invalid_request',
      'an extension has a name of other characters than letters, digits and -',
    ],
    [
      'with 65 extensions',
      { extensions: long(65).map((name) => [name, '']) },
      'invalid_request',
      'there are more than 64 extensions',
    ],
  ];
  test.each(cases)('%s', (_name, changes, code, message) => {
    const error = caught(() => encodeToBeSigned(plainFields(subject, authority, changes)));
    expect(error).toBeInstanceOf(WardenError);
    expect([(error as WardenError).code, (error as WardenError).message]).toEqual([code, message]);
  });
});

test('options are written in the order of their names, whatever order they came in', () => {
  const fields = plainFields(subject, authority, {
    criticalOptions: [
      ['verify-required', ''],
      ['force-command', 'id'],
    ],
    extensions: [
      ['permit-pty', ''],
      ['custom@example.net', ''],
      ['permit-X11-forwarding', ''],
    ],
  });
  const read = parseCertificate(certify(fields, authority));
  expect(read.criticalOptions.map(([name]) => name)).toEqual(['force-command', 'verify-required']);
  expect(read.extensions.map(([name]) => name)).toEqual(['custom@example.net', 'permit-X11-forwarding', 'permit-pty']);
});

describe('every certificate says after reading what was meant in writing', () => {
  const pairs = ALL_ALGORITHMS.flatMap((of) => ALL_ALGORITHMS.map((by) => [of, by] as const));
  test.each(pairs)('of %s by %s', (of, by) => {
    const [key, ca] = [find(subjects, of), find(authorities, by)];
    fc.assert(
      fc.property(certificateTexts, (texts) => {
        const fields: CertificateFields = { ...texts, publicKey: key.publicKey, signatureKey: ca.publicKey };
        const blob = certify(fields, ca);
        const read = parseCertificate(blob);
        expect({ ...read, publicKey: read.publicKey.blob, signatureKey: read.signatureKey.blob }).toMatchObject({
          ...fields,
          criticalOptions: sorted(fields.criticalOptions),
          extensions: sorted(fields.extensions),
          publicKey: key.publicKey.blob,
          signatureKey: ca.publicKey.blob,
        });
        expect(read.signatureAlgorithm).toBe(by === 'ssh-rsa' ? 'rsa-sha2-512' : by);
        expect(encodeToBeSigned(read)).toEqual(read.tbs);
        expect(assembleCertificate(read.tbs, read.signature)).toEqual(blob);
        expect(verifyCertificate(read)).toBe(true);
        const line = formatCertificateLine(read, 'a comment');
        expect(parseCertificateLine(`${line}\n`)).toEqual(read);
        expect(line).toBe(`${read.algorithm} ${blob.toString('base64')} a comment`);
      }),
      { numRuns: 6 },
    );
  });
});

describe('a certificate is not good', () => {
  test('under another authority of the same type', async () => {
    const other = await testKey('ssh-ed25519', 'other');
    const read = parseCertificate(certify(plainFields(subject, authority), authority));
    expect(verifyCertificate(read, authority.publicKey)).toBe(true);
    expect(verifyCertificate(read, other.publicKey)).toBe(false);
  });

  test('when another key than the one it names has signed it', async () => {
    const other = await testKey('ssh-ed25519', 'other');
    expect(verifyCertificate(parseCertificate(certify(plainFields(subject, authority), other)))).toBe(false);
  });

  test.each(ALL_ALGORITHMS)('with any one byte of it changed, by %s', (by) => {
    const ca = find(authorities, by);
    const blob = certify(plainFields(subject, ca, { criticalOptions: [['force-command', 'id']] }), ca);
    // The rsa and p521 ones are long and slow to verify: every third byte.
    const step = blob.length > 500 ? 3 : 1;
    for (let at = 0; at < blob.length; at += step) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      let good = false;
      try {
        good = verifyCertificate(parseCertificate(changed));
      } catch (error) {
        expect(error).toBeInstanceOf(WardenError);
        expect((error as WardenError).code).toBe('invalid_request');
      }
      expect(good, `byte ${at}`).toBe(false);
    }
  });
});

describe('cut short anywhere, a certificate is refused', () => {
  const pairs = [
    ...ALL_ALGORITHMS.map((of) => [of, 'ssh-ed25519'] as const),
    ...ALL_ALGORITHMS.map((by) => ['ssh-ed25519', by] as const),
  ];
  test.each(pairs)('of %s by %s', (of, by) => {
    const ca = find(authorities, by);
    const blob = certify(plainFields(find(subjects, of), ca), ca);
    for (let end = 0; end < blob.length; end++) {
      const error = caught(() => parseCertificate(blob.subarray(0, end)));
      expect(error, `at ${end}`).toBeInstanceOf(WardenError);
      expect((error as WardenError).code).toBe('invalid_request');
    }
  });
});

describe('whatever the bytes are, only WardenErrors come out', () => {
  test('with lengths, counts and bytes changed at random', () => {
    const damage = fc.array(fc.tuple(fc.nat(2000), fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff))), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.nat(6), fc.nat(6), damage, (of, by, bytes) => {
        const [key, ca] = [subjects[of] ?? subject, authorities[by] ?? authority];
        const tbs = encodeToBeSigned(plainFields(key, ca, { criticalOptions: [['force-command', 'id']] }));
        const blob = assembleCertificate(tbs, Buffer.from('000000010a0000000101', 'hex'));
        for (const [at, value] of bytes) blob[at % blob.length] = value;
        const error = caught(() => parseCertificate(blob));
        if (error !== null) expect(error).toBeInstanceOf(WardenError);
      }),
      { numRuns: 5000 },
    );
  });

  test('with random text', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('', 'ssh-ed25519-cert-v01@openssh.com '),
        fc.string({ unit: 'binary' }),
        (word, text) => {
          expect(caught(() => parseCertificateLine(word + text))).toBeInstanceOf(WardenError);
        },
      ),
    );
  });
});

/** A certificate field by field, so that each can be wrong. */
interface Raw {
  type: string;
  nonce: Buffer;
  body: Buffer;
  kind: number;
  keyId: Buffer | string;
  principals: Buffer;
  after: bigint;
  before: bigint;
  critical: Buffer;
  extensions: Buffer;
  reserved: Buffer;
  authority: Buffer;
  signature: Buffer;
  trailing: Buffer;
}

const strings = (...parts: (Buffer | string)[]): Buffer => {
  const writer = new WireWriter();
  for (const part of parts) writer.string(part);
  return writer.finish();
};

function raw(changes: Partial<Raw>): Buffer {
  const plain: Raw = {
    type: 'ssh-ed25519-cert-v01@openssh.com',
    nonce: Buffer.alloc(32),
    body: strings(subject.publicKey.blob.subarray(-32)),
    kind: 1,
    keyId: 'id',
    principals: strings('a'),
    after: 1n,
    before: 2n,
    critical: Buffer.alloc(0),
    extensions: Buffer.alloc(0),
    reserved: Buffer.alloc(0),
    authority: authority.publicKey.blob,
    signature: strings('ssh-ed25519', Buffer.alloc(64)),
    trailing: Buffer.alloc(0),
  };
  const it = { ...plain, ...changes };
  const writer = new WireWriter().string(it.type).string(it.nonce).raw(it.body).uint64(1n).uint32(it.kind);
  writer.string(it.keyId).string(it.principals).uint64(it.after).uint64(it.before);
  writer.string(it.critical).string(it.extensions).string(it.reserved).string(it.authority).string(it.signature);
  return writer.raw(it.trailing).finish();
}

describe('a certificate is not read', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${String(i).padStart(3, '0')}`);
  const cases: [name: string, changes: () => Partial<Raw>, message: string][] = [
    [
      'of a key type we do not know',
      () => ({ type: 'ssh-dss-cert-v01@openssh.com' }),
      'the certificate type is none that is accepted',
    ],
    ['that is a plain key', () => ({ type: 'ssh-ed25519' }), 'the certificate type is none that is accepted'],
    [
      'with a nonce of 257 bytes',
      () => ({ nonce: Buffer.alloc(257) }),
      'the nonce is 257 bytes long, more than the 256 allowed',
    ],
    [
      'over a malformed key',
      () => ({ body: strings(Buffer.alloc(31)) }),
      'the ed25519 key is 31 bytes long instead of 32',
    ],
    [
      'over a weak key',
      () => ({ body: strings(Buffer.alloc(32)) }),
      'a key in the certificate is refused: the ed25519 key is a point of small order, which protects nothing',
    ],
    ['of kind 0', () => ({ kind: 0 }), 'the certificate is neither a user nor a host certificate'],
    ['of kind 3', () => ({ kind: 3 }), 'the certificate is neither a user nor a host certificate'],
    ['with a NUL in its key id', () => ({ keyId: 'a\0b' }), 'the key id holds a NUL byte'],
    ['with a key id that is no UTF-8', () => ({ keyId: Buffer.from([0xff]) }), 'the key id is not UTF-8'],
    [
      'with a principal cut short',
      () => ({ principals: Buffer.from('0000000561', 'hex') }),
      'a principal is cut short: 5 bytes are announced and 1 are there',
    ],
    ['with a NUL in a principal', () => ({ principals: strings('root\0x') }), 'a principal holds a NUL byte'],
    ['with 257 principals', () => ({ principals: strings(...many(257)) }), 'there are more than 256 principals'],
    ['with its window backwards', () => ({ after: 3n }), 'validity ends before it begins'],
    [
      'with unsorted extensions',
      () => ({ extensions: strings('b', '', 'a', '') }),
      'the extensions are not sorted and unique',
    ],
    [
      'with one extension twice',
      () => ({ extensions: strings('a', '', 'a', '') }),
      'the extensions are not sorted and unique',
    ],
    [
      'with unsorted critical options',
      () => ({ critical: strings('b', '', 'a', '') }),
      'the critical options are not sorted and unique',
    ],
    [
      'with an option of no name',
      () => ({ critical: strings('', '') }),
      'a name among the critical options is empty or not printable',
    ],
    [
      'with an option without data',
      () => ({ critical: strings('a') }),
      'the data of a name among the critical options is cut short',
    ],
    [
      'with data that is no string',
      () => ({ critical: strings('force-command', 'id') }),
      'a value among the critical options is cut short',
    ],
    [
      'with bytes after the string in the data',
      () => ({ critical: strings('force-command', strings('id', '')) }),
      '4 bytes follow a value among the critical options',
    ],
    [
      'with an empty string for a value',
      () => ({ extensions: strings('a', strings('')) }),
      'a value among the extensions is an empty string where no data is meant',
    ],
    [
      'with force-command and no command',
      () => ({ critical: strings('force-command', '') }),
      'force-command has no command',
    ],
    [
      'with a value for verify-required',
      () => ({ critical: strings('verify-required', strings('x')) }),
      'verify-required takes no value',
    ],
    [
      'with a pattern for source-address',
      () => ({ critical: strings('source-address', strings('*')) }),
      'source-address is not a comma-separated list of addresses and CIDR blocks',
    ],
    [
      'with 65 extensions',
      () => ({ extensions: strings(...many(65).flatMap((name) => [name, ''])) }),
      'there are more than 64 extensions',
    ],
    ['with something in the reserved field', () => ({ reserved: Buffer.from('x') }), 'the reserved field is not empty'],
    [
      'by a malformed authority',
      () => ({ authority: strings('ssh-ed25519', 'x') }),
      'a key in the certificate is refused: the ed25519 key is 1 bytes long instead of 32',
    ],
    [
      'by a certificate',
      () => ({ authority: strings('ssh-ed25519-cert-v01@openssh.com') }),
      'a key in the certificate is refused: this is a certificate, not a public key',
    ],
    [
      'with a signature that names no algorithm',
      () => ({ signature: Buffer.alloc(2) }),
      'the signature algorithm is cut short',
    ],
    ['with bytes after it', () => ({ trailing: Buffer.from('x') }), '1 bytes follow the certificate'],
    ['longer than 128 KiB', () => ({ keyId: 'x'.repeat(131072) }), 'the certificate is longer than 131072 bytes'],
  ];
  test.each(cases)('%s', (_name, changes, message) => {
    const error = caught(() => parseCertificate(raw(changes())));
    expect(error).toBeInstanceOf(WardenError);
    expect([(error as WardenError).code, (error as WardenError).message]).toEqual(['invalid_request', message]);
  });

  test('but is read with nothing of that wrong', () => {
    expect(parseCertificate(raw({}))).toMatchObject({ keyId: 'id', principals: ['a'] });
  });

  const good = (): string => formatCertificateLine(raw({}));
  const lines: [name: string, line: () => string, message: string][] = [
    ['from a line of a plain key', () => subject.line, 'the line does not begin with a certificate type'],
    ['from two lines', () => `${good()}\n${good()}`, 'there is more than one line'],
    [
      'from a line without base64',
      () => 'ssh-ed25519-cert-v01@openssh.com',
      'the certificate after its type is missing',
    ],
    ['from a line of other base64', () => `${good()}=`, 'the certificate after its type is not canonical base64'],
    [
      'from a line that says another type',
      () => good().replace('ssh-ed25519', 'ssh-rsa'),
      'the line says ssh-rsa-cert-v01@openssh.com and the certificate in it is ssh-ed25519-cert-v01@openssh.com',
    ],
    ['from a line over 192 KiB', () => `${good()} ${'x'.repeat(200_000)}`, 'the line is longer than 196608 characters'],
  ];
  test.each(lines)('%s', (_name, line, message) => {
    const error = caught(() => parseCertificateLine(line()));
    expect(error).toBeInstanceOf(WardenError);
    expect([(error as WardenError).code, (error as WardenError).message]).toEqual(['invalid_request', message]);
  });
});

test('a line is not written with a comment that could break out of it', () => {
  expect(caught(() => formatCertificateLine(raw({}), 'a\nb'))).toMatchObject({
    code: 'invalid_request',
    message: 'the comment holds control or invisible characters',
  });
});

test('a line is not written for bytes that are no certificate', () => {
  expect(caught(() => formatCertificateLine(subject.publicKey.blob))).toMatchObject({
    code: 'invalid_request',
    message: 'the certificate type is none that is accepted',
  });
});

function find(keys: readonly TestKey[], algorithm: string): TestKey {
  const key = keys.find((one) => one.algorithm === algorithm);
  if (key === undefined) throw new Error(`there is no key of type ${algorithm}`);
  return key;
}

function sorted(options: CertificateFields['extensions']): CertificateFields['extensions'] {
  return options.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}
