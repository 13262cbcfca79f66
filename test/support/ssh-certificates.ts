import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { assembleCertificate, type CertificateFields, encodeToBeSigned } from '../../src/ssh/certificate.ts';
import type { CertificateOption } from '../../src/ssh/certificate-options.ts';
import type { TestKey } from './ssh-keys.ts';

export const FOREVER = 0xffff_ffff_ffff_ffffn;

/** Fields of an ordinary certificate. */
export function plainFields(
  subject: TestKey,
  authority: TestKey,
  changes: Partial<CertificateFields> = {},
): CertificateFields {
  return {
    nonce: randomBytes(32),
    publicKey: subject.publicKey,
    serial: 1n,
    kind: 'user',
    keyId: 'agt-test/0190/-',
    principals: ['agt-task'],
    validAfter: 1_700_000_000n,
    validBefore: 1_700_003_600n,
    criticalOptions: [],
    extensions: [['permit-pty', '']],
    signatureKey: authority.publicKey,
    ...changes,
  };
}

/** Encodes and signs. */
export function certify(fields: CertificateFields, authority: TestKey): Buffer {
  const tbs = encodeToBeSigned(fields);
  return assembleCertificate(tbs, authority.sign(tbs));
}

const word = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-_.@\\"ü鍵'),
  minLength: 1,
  maxLength: 20,
});
const printableAscii = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
  minLength: 1,
  maxLength: 255,
});
const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, length]) => `${ip}/${length}`),
  fc.tuple(fc.ipV6(), fc.nat(128)).map(([ip, length]) => `${ip}/${length}`),
  fc.ipV4(),
);
const criticalOptions = fc
  .tuple(
    fc.option(printableAscii.map((value): CertificateOption => ['force-command', value])),
    fc.option(
      fc
        .array(address, { minLength: 1, maxLength: 4 })
        .map((list): CertificateOption => ['source-address', list.join()]),
    ),
    fc.option(fc.constant<CertificateOption>(['verify-required', ''])),
  )
  .map((list) => list.filter((option) => option !== null));
const extensions = fc.uniqueArray(
  fc.constantFrom(
    'no-touch-required',
    'permit-X11-forwarding',
    'permit-agent-forwarding',
    'permit-port-forwarding',
    'permit-pty',
    'permit-user-rc',
    'custom@example.net',
  ),
);
const YEAR_10000 = 253_402_300_800n;
const window = fc
  .tuple(fc.bigInt({ min: 0n, max: YEAR_10000 - 2n }), fc.bigInt({ min: 0n, max: YEAR_10000 - 2n }), fc.nat(5))
  .map(([a, b, form]): [bigint, bigint] => {
    if (form === 0) return [0n, FOREVER];
    if (form === 1) return [a, FOREVER];
    if (form === 2) return [0n, b + 1n];
    return a < b ? [a, b] : [b, a + 1n];
  });

/** What a certificate may say, but for its keys. Serials to 2^64-1, key ids of all printable ASCII, windows from 0 to for ever. */
export const certificateTexts = fc
  .record({
    nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    serial: fc.oneof(fc.constantFrom(0n, 1n, FOREVER), fc.bigInt({ min: 0n, max: FOREVER })),
    kind: fc.constantFrom('user' as const, 'host' as const),
    keyId: printableAscii,
    principals: fc.uniqueArray(word, { minLength: 1, maxLength: 8 }),
    window,
    criticalOptions,
    extensions: extensions.map((names) => names.map((name): CertificateOption => [name, ''])),
  })
  .map(({ window: [validAfter, validBefore], ...rest }) => ({ ...rest, validAfter, validBefore }));
