import { randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import type { AuthorityKey } from '../../src/signing/certificate-authority.ts';
import { certificateFields } from '../../src/signing/certificate-fields.ts';
import type { CertificatePlan } from '../../src/signing/certificate-plan.ts';
import { checkIssued, checkIssuedOffLoop } from '../../src/signing/check-issued.ts';
import { assembleCertificate, type CertificateFields, encodeToBeSigned } from '../../src/ssh/certificate.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import type { PrivateKey } from '../../src/ssh/private-key.ts';
import { encodeSignature } from '../../src/ssh/signature.ts';
import { failure, finished, keyOf } from './support/subjects.ts';

let ca: PrivateKey;
let otherCa: PrivateKey;
let plan: CertificatePlan;
let other: PrivateKey;
beforeAll(async () => {
  ca = await keyOf('ed25519');
  otherCa = await generateKeyPair('ed25519', 'another ca');
  other = await keyOf('ecdsa-p384');
  const options = {
    sourceAddress: '10.0.0.0/8',
    forceCommand: null,
    verifyRequired: false,
    extensions: ['permit-pty'],
  };
  plan = finished((await keyOf('ecdsa-p256')).publicKey, { options });
});

const keyOfAuthority = (key: PrivateKey, state: AuthorityKey['state'] = 'current'): AuthorityKey => ({
  publicKey: key.publicKey,
  comment: key.comment,
  state,
  custody: 'memory',
});
const local = () => ({ takesSerial: true, keys: () => [keyOfAuthority(ca)] });
const foreign = () => ({ takesSerial: false, keys: () => [keyOfAuthority(ca)] });

/** A hostile or broken authority: it holds the CA key and signs what it likes. */
function issued(change: Partial<CertificateFields> = {}, signer = ca, names = signer): Buffer {
  const fields = {
    ...certificateFields({ ...plan, serial: plan.serial ?? 1n }, names.publicKey, randomBytes(32)),
    ...change,
  };
  const tbs = encodeToBeSigned(fields);
  return assembleCertificate(tbs, encodeSignature('ssh-ed25519', sign(null, tbs, signer.keyObject)));
}

describe('what an authority gave', () => {
  test('is released where it is what was planned', () => {
    expect(checkIssued(issued(), plan, local())).toMatchObject({ keyId: plan.keyId, serial: 77n });
  });

  test('may have its principals in another order', () => {
    const turned = issued({ principals: [...plan.principals].reverse() });
    expect(checkIssued(turned, plan, local()).principals).toEqual(['agt-state', 'agt-task-bridge']);
  });

  test.each([
    ['a principal more', 'principals', () => issued({ principals: [...plan.principals, 'root'] })],
    ['a principal less', 'principals', () => issued({ principals: plan.principals.slice(1) })],
    ['another principal', 'principals', () => issued({ principals: ['agt-task-bridge', 'root'] })],
    ['another key', 'public key', () => issued({ publicKey: other.publicKey })],
    ['another key id', 'key id', () => issued({ keyId: `${plan.keyId}x` })],
    ['a host certificate', 'kind', () => issued({ kind: 'host' })],
    ['another serial', 'serial', () => issued({ serial: 78n })],
    ['serial 0', 'serial', () => issued({ serial: 0n })],
    ['an end one second later', 'end of validity', () => issued({ validBefore: plan.validBefore + 1n })],
    ['an end one second earlier', 'end of validity', () => issued({ validBefore: plan.validBefore - 1n })],
    ['validity for ever', 'end of validity', () => issued({ validBefore: 0xffff_ffff_ffff_ffffn })],
    ['a start one second earlier', 'start of validity', () => issued({ validAfter: plan.validAfter - 1n })],
    ['a start at the epoch', 'start of validity', () => issued({ validAfter: 0n })],
    [
      'an extension more',
      'extensions',
      () =>
        issued({
          extensions: [
            ['permit-port-forwarding', ''],
            ['permit-pty', ''],
          ],
        }),
    ],
    ['an extension less', 'extensions', () => issued({ extensions: [] })],
    ['a source-address less', 'critical options', () => issued({ criticalOptions: [] })],
    [
      'a wider source-address',
      'critical options',
      () => issued({ criticalOptions: [['source-address', '0.0.0.0/0']] }),
    ],
    [
      'a force-command more',
      'critical options',
      () =>
        issued({
          criticalOptions: [
            ['force-command', 'sh'],
            ['source-address', '10.0.0.0/8'],
          ],
        }),
    ],
    ['another CA', 'signature key', () => issued({}, otherCa)],
    ["another CA's signature under this CA's name", 'signature', () => issued({}, otherCa, ca)],
    ['garbage', 'form', () => randomBytes(400)],
    ['nothing', 'form', () => Buffer.alloc(0)],
    ['a plain public key', 'form', () => plan.publicKey.blob],
    ['a byte behind it', 'form', () => Buffer.concat([issued(), Buffer.of(0)])],
    ['a cut', 'form', () => issued().subarray(0, -1)],
  ])('%s: it is never released, and the log names the %s', async (_name, field, blob) => {
    const bytes = blob();
    const error = await failure(() => checkIssued(bytes, plan, local()));
    expect(error.code).toBe('ca_mismatch');
    expect(error.message).toBe('the authority answered with another certificate than was asked for');
    expect(error.details.privateDetail).toMatch(new RegExp(`^${field}: planned `));
    expect(error.details.privateDetail?.length).toBeLessThan(500);
    const offLoop = await failure(() => checkIssuedOffLoop(bytes, plan, local()));
    expect([offLoop.code, offLoop.details.privateDetail]).toEqual([error.code, error.details.privateDetail]);
  });

  test.each(['next', 'retired'] as const)('a certificate by a %s key is not released', async (state) => {
    const authority = { takesSerial: true, keys: () => [keyOfAuthority(otherCa), keyOfAuthority(ca, state)] };
    const error = await failure(() => checkIssued(issued(), plan, authority));
    expect(error.details.privateDetail).toMatch(/^signature key: /);
  });

  test('an authority that knows no key releases nothing', async () => {
    const error = await failure(() => checkIssued(issued(), plan, { takesSerial: true, keys: () => [] }));
    expect(error.code).toBe('ca_mismatch');
  });

  test('no flipped bit anywhere is released', () => {
    const sound = issued();
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(7), (at, bit) => {
        const blob = Buffer.from(sound);
        blob.writeUInt8((blob[at] ?? 0) ^ (1 << bit), at);
        expect(() => checkIssued(blob, plan, local())).toThrow(WardenError);
      }),
      { numRuns: 600 },
    );
  });
});

describe('what an authority with a clock and serials of its own gave', () => {
  test.each([
    ['30 s back, as OpenBao dates it', 30n, 0n],
    ['120 s back', -60n, 0n],
    ['with an end that the other clock makes a minute later', 0n, 60n],
    ['with an end a minute earlier', 0n, -60n],
  ])('is released %s, with any serial', (_name, start, end) => {
    const blob = issued({ serial: 4_242n, validAfter: plan.validAfter + start, validBefore: plan.validBefore + end });
    expect(checkIssued(blob, { ...plan, serial: null }, foreign()).serial).toBe(4_242n);
  });

  test.each([
    ['121 s back', 'start of validity', -61n, 0n],
    ['so late that it is not valid yet', 'start of validity', 91n, 0n],
    ['more than a minute too long', 'end of validity', 0n, 61n],
    ['more than a minute too short', 'end of validity', 0n, -61n],
  ])('is not released %s', async (_name, field, start, end) => {
    const blob = issued({ validAfter: plan.validAfter + start, validBefore: plan.validBefore + end });
    const error = await failure(() => checkIssued(blob, { ...plan, serial: null }, foreign()));
    expect(error.details.privateDetail).toMatch(new RegExp(`^${field}: `));
  });

  test('is not released with a serial other than planned, where one was planned', async () => {
    const error = await failure(() => checkIssued(issued({ serial: 1n }), plan, foreign()));
    expect(error.details.privateDetail).toBe('serial: planned 77, issued 1');
  });
});
