import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCertificateLine } from '../../src/ssh/certificate.ts';
import { formatRevocationList, parseRevocationList, type RevocationList } from '../../src/ssh/krl.ts';
import { mergeRanges, partition, type SerialRange } from '../../src/ssh/serial-ranges.ts';
import { certify, FOREVER, plainFields } from '../support/ssh-certificates.ts';
import { sshKeygen, sshKeygenOk } from '../support/ssh-keygen.ts';
import { type TestKey, testKey } from '../support/ssh-keys.ts';

let folder: string;
let ca: TestKey;
let otherCa: TestKey;
let subject: TestKey;
let otherSubject: TestKey;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warden-krl-'));
  ca = await testKey('ssh-ed25519', 'krl-ca');
  otherCa = await testKey('ecdsa-sha2-nistp256', 'krl-other-ca');
  subject = await testKey('ssh-ed25519', 'krl-subject');
  otherSubject = await testKey('ssh-ed25519', 'krl-other-subject');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (key: TestKey): Buffer => createHash('sha256').update(key.publicKey.blob).digest();
const one = (serial: bigint): SerialRange => ({ low: serial, high: serial });
const list = (changes: Partial<RevocationList>): RevocationList => ({
  number: 7n,
  generatedAt: 1_790_000_000n,
  comment: '',
  certificates: [],
  keySha256: [],
  ...changes,
});

interface Probe {
  readonly serial?: bigint;
  readonly keyId?: string;
  readonly by?: TestKey;
  readonly over?: TestKey;
}

let files = 0;
/** What ssh-keygen says of a certificate for each probe: true is revoked. */
async function revoked(krl: Buffer, probes: readonly Probe[]): Promise<boolean[]> {
  const listFile = join(folder, `list-${files++}`);
  writeFileSync(listFile, krl);
  const names = probes.map(({ serial = 1n, keyId = 'kept', by = ca, over = subject }) => {
    const file = join(folder, `probe-${files++}.pub`);
    writeFileSync(file, `${formatCertificateLine(certify(plainFields(over, by, { serial, keyId }), by))}\n`);
    return file;
  });
  const { stdout, stderr } = await sshKeygen(['-Q', '-f', listFile, ...names]);
  const answers = stdout.split('\n').filter((line) => line !== '');
  if (stderr !== '' && answers.length !== names.length) throw new Error(`ssh-keygen -Q: ${stderr}`);
  for (const name of names) rmSync(name);
  return answers.map((line) => line.endsWith(': REVOKED'));
}

const serial = fc.oneof(
  fc.constantFrom(1n, 2n, FOREVER, FOREVER - 1n, 1n << 63n, (1n << 63n) - 1n),
  fc.bigInt({ min: 1n, max: FOREVER }),
  fc.bigInt({ min: 1n, max: 400n }),
);
const range = fc.oneof(
  serial.map(one),
  fc
    .tuple(serial, fc.bigInt({ min: 0n, max: 20_000n }))
    .map(([low, length]) => ({ low, high: low + length }))
    .filter(({ high }) => high <= FOREVER),
  fc.bigInt({ min: 0n, max: 20_000n }).map((length) => ({ low: FOREVER - length, high: FOREVER })),
);
/** Close neighbours with gaps: what bitmaps are for. */
const burst = fc
  .tuple(fc.bigInt({ min: 1n, max: FOREVER - 5_000n }), fc.uniqueArray(fc.nat(600), { minLength: 8, maxLength: 80 }))
  .map(([from, steps]) => steps.map((step) => one(from + BigInt(step))));
const serials = fc
  .tuple(fc.array(range, { maxLength: 12 }), fc.array(burst, { maxLength: 2 }))
  .map(([a, b]) => [...a, ...b.flat()]);
/** A certificate's key id of ours is printable ASCII. */
const keyId = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    fc.constantFrom(' ', '"', '\\', ',', '/', '*', '?', '%', "'", '#'),
  ),
  minLength: 1,
  maxLength: 255,
});

const has = (ranges: readonly SerialRange[], wanted: bigint): boolean =>
  ranges.some(({ low, high }) => low <= wanted && wanted <= high);

/** The ends of the ranges, and the serials just outside. */
function edges(ranges: readonly SerialRange[]): bigint[] {
  const all = ranges.flatMap(({ low, high }) => [low - 1n, low, (low + high) / 2n, high, high + 1n]);
  return [...new Set(all)].filter((value) => value > 0n && value <= FOREVER);
}

describe('ssh-keygen reads a list of ours as it was meant', () => {
  test('for any serials, at the ends of ranges and beside them', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(serials, async (ranges) => {
        const krl = formatRevocationList(
          list({ certificates: [{ authority: ca.publicKey.blob, serials: ranges, keyIds: [] }] }),
        );
        const asked = [...edges(ranges), 12_345n].slice(0, 60);
        const answer = await revoked(
          krl,
          asked.map((value) => ({ serial: value })),
        );
        expect(answer).toEqual(asked.map((value) => has(ranges, value)));
      }),
      { numRuns: 25 },
    );
  });

  test('for key ids of any printable characters, and for no id that is merely like one of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(keyId, { minLength: 1, maxLength: 12 }), async (ids) => {
        const krl = formatRevocationList(
          list({ certificates: [{ authority: ca.publicKey.blob, serials: [], keyIds: ids }] }),
        );
        const asked = [...ids, ...ids.map((id) => id.slice(0, -1)), ...ids.map((id) => `${id}x`.slice(-255))].filter(
          (id) => id !== '',
        );
        expect(
          await revoked(
            krl,
            asked.map((id) => ({ keyId: id })),
          ),
        ).toEqual(asked.map((id) => ids.includes(id)));
      }),
      { numRuns: 15 },
    );
  });

  test('bound to the authority that signed, unless it is bound to none', async () => {
    const bound = formatRevocationList(
      list({ certificates: [{ authority: ca.publicKey.blob, serials: [one(5n)], keyIds: ['x'] }] }),
    );
    const asked: Probe[] = [{ serial: 5n }, { serial: 5n, by: otherCa }, { keyId: 'x' }, { keyId: 'x', by: otherCa }];
    expect(await revoked(bound, asked)).toEqual([true, false, true, false]);
    const anyone = formatRevocationList(
      list({ certificates: [{ authority: null, serials: [one(5n)], keyIds: ['x'] }] }),
    );
    expect(await revoked(anyone, asked)).toEqual([true, true, true, true]);
  });

  test('a key by its SHA-256: certificates over it, and certificates that it signed', async () => {
    const asked: Probe[] = [{}, { over: otherSubject }, { over: otherSubject, by: otherCa }];
    expect(await revoked(formatRevocationList(list({ keySha256: [sha256(subject)] })), asked)).toEqual([
      true,
      false,
      false,
    ]);
    expect(await revoked(formatRevocationList(list({ keySha256: [sha256(ca)] })), asked)).toEqual([true, true, false]);
  });

  test('an empty list revokes nothing, and shows its number and date', async () => {
    const krl = formatRevocationList(list({ number: FOREVER, comment: 'of wardend' }));
    expect(await revoked(krl, [{}])).toEqual([false]);
    const file = join(folder, 'empty');
    writeFileSync(file, krl);
    const shown = await sshKeygenOk(['-Q', '-l', '-f', file]);
    expect(shown).toContain(`# KRL version ${FOREVER}`);
    expect(shown).toContain('# Generated at 20260921T');
    expect(shown).toContain('# Comment: of wardend');
  });
});

describe('a list that ssh-keygen made is read as it was meant', () => {
  test('serials, ranges, key ids and hashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        serials,
        fc.uniqueArray(
          keyId.filter((id) => id.trim() === id && !id.includes('#')),
          { maxLength: 5 },
        ),
        async (ranges, ids) => {
          const spec = join(folder, `spec-${files++}`);
          const file = join(folder, `made-${files++}`);
          const lines = [
            ...ranges.map(({ low, high }) => (low === high ? `serial: ${low}` : `serial: ${low}-${high}`)),
            ...ids.map((id) => `id: ${id}`),
            `hash: SHA256:${sha256(otherSubject).toString('base64').replace('=', '')}`,
          ];
          writeFileSync(spec, `${lines.join('\n')}\n`);
          await sshKeygenOk(['-q', '-k', '-f', file, '-s', `${ca.file}.pub`, '-z', '42', spec, `${subject.file}.pub`]);
          const read = parseRevocationList(readFileSync(file));
          expect(read.number).toBe(42n);
          expect(read.explicitKeys).toEqual([subject.publicKey.blob]);
          expect(read.keySha256).toEqual([sha256(otherSubject)]);
          const [certificates] = read.certificates;
          expect(mergeRanges(certificates?.serials ?? [])).toEqual(mergeRanges(ranges));
          expect([...(certificates?.keyIds ?? [])].sort()).toEqual([...ids].sort());
          if (certificates !== undefined) expect(certificates.authority).toEqual(ca.publicKey.blob);
          // Written again by us, it says the same to ssh-keygen.
          const again = formatRevocationList(read);
          expect(parseRevocationList(again).certificates).toEqual(
            read.certificates.map((part) => ({
              ...part,
              keyIds: [...part.keyIds].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
            })),
          );
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('the bytes', () => {
  test('are the same for the same content in any order', () => {
    fc.assert(
      fc.property(serials, fc.array(keyId, { maxLength: 6 }), (ranges, ids) => {
        const of = (r: readonly SerialRange[], k: readonly string[], flip: boolean): Buffer => {
          const parts = [
            { authority: ca.publicKey.blob, serials: r, keyIds: k },
            { authority: otherCa.publicKey.blob, serials: r, keyIds: [] },
          ];
          return formatRevocationList(list({ certificates: flip ? parts.reverse() : parts }));
        };
        expect(of([...ranges].reverse(), [...ids, ...ids].reverse(), true)).toEqual(of(ranges, ids, false));
      }),
    );
  });

  test('come back as what was written', () => {
    fc.assert(
      fc.property(serials, fc.uniqueArray(keyId), (ranges, ids) => {
        const krl = formatRevocationList(
          list({
            certificates: [{ authority: ca.publicKey.blob, serials: ranges, keyIds: ids }],
            keySha256: [sha256(subject)],
          }),
        );
        const read = parseRevocationList(krl);
        expect(read.certificates[0]?.serials ?? []).toEqual(mergeRanges(ranges));
        expect(new Set(read.certificates[0]?.keyIds ?? [])).toEqual(new Set(ids));
        expect(read.keySha256).toEqual([sha256(subject)]);
      }),
    );
  });

  test('hold every serial once, and close ones in less than a list takes', () => {
    const close = Array.from({ length: 500 }, (_, index) => one(10_000n + BigInt(index) * 3n));
    const parts = partition(mergeRanges(close));
    expect(parts.bitmaps.flat()).toEqual(close);
    expect(parts.list).toEqual([]);
    expect(
      formatRevocationList(list({ certificates: [{ authority: null, serials: close, keyIds: [] }] })).length,
    ).toBeLessThan(300);
  });

  test('that are cut or bent anywhere are refused, or read as a list, and never end otherwise', () => {
    const whole = formatRevocationList(
      list({
        certificates: [
          {
            authority: ca.publicKey.blob,
            serials: [one(1n), { low: 5n, high: 900n }, one(5_000n)],
            keyIds: ['a', 'b'],
          },
        ],
        keySha256: [sha256(ca)],
      }),
    );
    for (let length = 0; length < whole.length; length += 1) {
      try {
        parseRevocationList(whole.subarray(0, length));
      } catch (error) {
        expect(error).toMatchObject({ name: 'WardenError', code: 'invalid_request' });
      }
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const bent = Buffer.from(whole);
        bent[at] = value;
        try {
          parseRevocationList(bent);
        } catch (error) {
          expect(error).toMatchObject({ name: 'WardenError', code: 'invalid_request' });
        }
      }),
    );
  });

  test.each([
    ['serial 0, which OpenSSH takes for none', { certificates: [{ authority: null, serials: [one(0n)], keyIds: [] }] }],
    ['an empty range', { certificates: [{ authority: null, serials: [{ low: 5n, high: 4n }], keyIds: [] }] }],
    ['a key id with a NUL byte', { certificates: [{ authority: null, serials: [], keyIds: ['a\0b'] }] }],
    ['a hash of another length', { keySha256: [Buffer.alloc(20)] }],
  ])('are never made of %s', (_, changes) => {
    expect(() => formatRevocationList(list(changes))).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
