import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { type KeyAlgorithm, type PublicKey, parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import { WireWriter } from '../../src/ssh/wire.ts';
import { readWithOpenSsh } from '../support/ssh-fingerprints.ts';
import { sshKeygenOk } from '../support/ssh-keygen.ts';
import { ALL_ALGORITHMS, allTestKeys, keyFolder, type TestKey, testKey } from '../support/ssh-keys.ts';

const PRINTED_TYPES: Record<KeyAlgorithm, string> = {
  'ssh-ed25519': 'ED25519',
  'ecdsa-sha2-nistp256': 'ECDSA',
  'ecdsa-sha2-nistp384': 'ECDSA',
  'ecdsa-sha2-nistp521': 'ECDSA',
  'ssh-rsa': 'RSA',
  'sk-ssh-ed25519@openssh.com': 'ED25519-SK',
  'sk-ecdsa-sha2-nistp256@openssh.com': 'ECDSA-SK',
};

/** Read by ssh-keygen until version 10, which no longer knows such keys. */
const DSA = 'dsa keys';

/** Everything that we refuse and ssh-keygen -l reads. Another reason than these fails the test, and so does one that is never met. */
const REFUSED_BEYOND_OPENSSH: readonly [reason: string, message: RegExp][] = [
  ['white space before the key', /^the line begins with white space$/],
  ['options or host names before the key', /^something stands before the key type/],
  ['control and invisible characters', /^the line holds control or invisible characters$/],
  ['a carriage return inside', /^there is more than one line$/],
  [DSA, /^dsa keys are not accepted$/],
  ['certificates', /^this is a certificate, not a public key$/],
  ['words before the key that name no type', /^the key type is none that is accepted$/],
  ['rsa below 3072 bits', /^the rsa key has \d+ bits; at least 3072 are needed$/],
  ['an even rsa modulus', /^the rsa modulus is even$/],
  ['an even rsa exponent', /^the rsa exponent is even$/],
  ['the rsa exponent 1', /^the rsa exponent is 1/],
  ['a long rsa exponent', /^the rsa exponent is longer than 64 bits$/],
  ['numbers with needless zeros', /^the rsa (?:modulus|exponent) has a needless leading zero$/],
  ['ed25519 points of small order', /^the ed25519 key is a point of small order/],
  ['ed25519 coordinates over the prime', /^the ed25519 key is not below the prime/],
  ['an sk key for no application', /^the application of the security key is empty$/],
  ['an sk key for an unprintable application', /^the application of the security key is not printable ASCII$/],
  ['an sk key for a long application', /^the application of the security key is \d+ bytes long/],
];

let keys: TestKey[] = [];
let certificate: string;
beforeAll(async () => {
  keys = [...(await allTestKeys()), ...(await allTestKeys('other'))];
  certificate = await issue();
});

/** A certificate line by ssh-keygen. */
async function issue(): Promise<string> {
  const ca = await testKey('ssh-ed25519', 'ca');
  const folder = mkdtempSync(join(keyFolder(), 'differential-'));
  const file = join(folder, 'subject.pub');
  writeFileSync(file, `${keys[0]?.line}\n`);
  await sshKeygenOk(['-q', '-s', ca.file ?? '', '-I', 'id', '-n', 'a', file]);
  return readFileSync(join(folder, 'subject-cert.pub'), 'utf8').trimEnd();
}

function readWithOurs(line: string): PublicKey | WardenError {
  try {
    return parsePublicKeyLine(line);
  } catch (error) {
    if (error instanceof WardenError) return error;
    throw error;
  }
}

async function compare(
  lines: readonly string[],
): Promise<{ accepted: number; refusedAlike: number; beyond: Set<string> }> {
  const theirs = await readWithOpenSsh(lines);
  const tally = { accepted: 0, refusedAlike: 0, beyond: new Set<string>() };
  for (const [i, line] of lines.entries()) {
    const ours = readWithOurs(line);
    const their = theirs[i] ?? null;
    if (!(ours instanceof WardenError)) {
      const expected = { bits: ours.bits, fingerprint: fingerprint(ours.blob), type: PRINTED_TYPES[ours.algorithm] };
      expect(their, JSON.stringify(line)).toEqual(expected);
      tally.accepted++;
    } else if (their === null) {
      tally.refusedAlike++;
    } else {
      const listed = REFUSED_BEYOND_OPENSSH.find(([, message]) => message.test(ours.message));
      expect(listed, `ssh-keygen reads it and we say "${ours.message}": ${JSON.stringify(line)}`).toBeDefined();
      tally.beyond.add(listed?.[0] ?? '');
    }
  }
  return tally;
}

const printable = fc.string({ unit: fc.constantFrom(...'abcXYZ019 \t"\\=,#+/@-.é鍵'), maxLength: 12 });
const pick = fc.nat({ max: 0x7fffffff });

/** What a line may suffer. Numbers are taken modulo what they index. */
const mutations = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('flip' as const), at: pick, bit: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('cut' as const), at: pick }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('append' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('byte' as const), at: fc.nat(60), value: fc.nat(255) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('base64' as const), at: pick, put: fc.constantFrom(...'A/+=-_ \t!*', '') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('word' as const),
      put: fc.constantFrom(...ALL_ALGORITHMS, 'ssh-dss', 'x', ''),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('before' as const), put: printable }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('after' as const), put: printable }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('text' as const),
      at: pick,
      put: fc.constantFrom('\t', ' ', '\r', '\x1b', '\u200b', '"'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'none' as const }) },
);
type Mutation = typeof mutations extends fc.Arbitrary<infer T> ? T : never;

function mutate(key: TestKey, mutation: Mutation): string {
  const [word = '', base64 = '', comment = ''] = key.line.split(' ');
  const blob = Buffer.from(key.publicKey.blob);
  const rebuilt = (changed: Buffer): string => `${word} ${changed.toString('base64')} ${comment}`;
  if (mutation.op === 'flip') {
    const at = mutation.at % blob.length;
    blob[at] = (blob[at] ?? 0) ^ (1 << mutation.bit);
    return rebuilt(blob);
  }
  if (mutation.op === 'byte') {
    blob[mutation.at % blob.length] = mutation.value;
    return rebuilt(blob);
  }
  if (mutation.op === 'cut') return rebuilt(blob.subarray(0, mutation.at % blob.length));
  if (mutation.op === 'append') return rebuilt(Buffer.concat([blob, mutation.bytes]));
  if (mutation.op === 'word') return `${mutation.put} ${base64} ${comment}`;
  if (mutation.op === 'before') return `${mutation.put}${key.line}`;
  if (mutation.op === 'after') return `${key.line}${mutation.put}`;
  if (mutation.op === 'none') return key.line;
  if (mutation.op === 'base64') {
    const at = mutation.at % base64.length;
    return `${word} ${base64.slice(0, at)}${mutation.put}${base64.slice(at + 1)} ${comment}`;
  }
  const at = mutation.at % key.line.length;
  return `${key.line.slice(0, at)}${mutation.put}${key.line.slice(at)}`;
}

test('five thousand mutated lines are read alike, but for the listed reasons', async () => {
  const cases = fc.sample(fc.tuple(pick, mutations), { numRuns: 5000 });
  const lines = cases.flatMap(([at, mutation]) => {
    const key = keys[at % keys.length];
    return key === undefined ? [] : [mutate(key, mutation)];
  });
  expect(lines).toHaveLength(5000);
  const tally = await compare(lines);
  // The mix must exercise all three answers, or the comparison says little.
  expect(tally.accepted).toBeGreaterThan(500);
  expect(tally.refusedAlike).toBeGreaterThan(500);
  expect(tally.beyond.size).toBeGreaterThan(3);
});

test('rsa keys of many sizes and exponents are read alike, but for the listed reasons', async () => {
  const numbers = fc.record({
    bits: fc.oneof(
      fc.integer({ min: 512, max: 3100 }),
      fc.integer({ min: 3072, max: 4200 }),
      fc.constantFrom(1023, 1024, 3071, 3072, 16384, 16385, 16392),
    ),
    exponent: fc.oneof(
      fc.constantFrom(3n, 17n, 65537n),
      fc.constantFrom(0n, 1n, 2n, (1n << 64n) - 1n, (1n << 64n) + 1n),
      fc.bigInt({ min: 0n, max: 1n << 70n }),
    ),
    last: fc.nat(255).map((byte) => (byte < 200 ? byte | 1 : byte)),
    padding: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2),
  });
  const lines = fc.sample(numbers, { numRuns: 1000 }).map(({ bits, exponent, last, padding }) => {
    const n = Buffer.alloc(Math.ceil(bits / 8), 0xa5);
    n[0] = 0xff >> (n.length * 8 - bits);
    n[n.length - 1] = last;
    const e = Buffer.from(exponent.toString(16).padStart(18, '0'), 'hex');
    const modulus = new WireWriter().mpint(n).finish().subarray(4);
    const blob = new WireWriter()
      .string('ssh-rsa')
      .mpint(e)
      .string(Buffer.concat([Buffer.alloc(padding), modulus]))
      .finish();
    return `ssh-rsa ${blob.toString('base64')} rsa`;
  });
  const tally = await compare(lines);
  expect(tally.accepted).toBeGreaterThan(100);
});

test('each reason on the list of what we refuse beyond ssh-keygen is met, and no other', async () => {
  const good = keys[0]?.line ?? '';
  const build = (type: string, write: (writer: WireWriter) => void): string => {
    const writer = new WireWriter().string(type);
    write(writer);
    return `${type} ${writer.finish().toString('base64')} built`;
  };
  const n = Buffer.alloc(384, 0xff);
  const rsa = (e: number[], modulus: Buffer): string => build('ssh-rsa', (w) => w.mpint(Buffer.from(e)).mpint(modulus));
  const point = Buffer.alloc(32, 9);
  const sk = (application: string): string =>
    build('sk-ssh-ed25519@openssh.com', (w) => w.string(point).string(application));
  const prime = Buffer.concat([Buffer.from([0xee]), Buffer.alloc(30, 0xff), Buffer.from([0x7f])]);
  const tally = await compare([
    ` ${good}`,
    `no-pty ${good}`,
    `${good}\x1b[31m`,
    `${good}\rx`,
    certificate,
    `x ${certificate}`,
    build('ssh-dss', (w) =>
      w
        .mpint(n.subarray(0, 128))
        .mpint(n.subarray(0, 20))
        .mpint(Buffer.from([2]))
        .mpint(Buffer.from([4])),
    ),
    rsa([1, 0, 1], n.subarray(0, 256)),
    rsa([1, 0, 1], Buffer.concat([n.subarray(1), Buffer.from([0xfe])])),
    rsa([4], n),
    rsa([1], n),
    rsa([1, 0, 0, 0, 0, 0, 0, 0, 1], n),
    build('ssh-rsa', (w) => w.mpint(Buffer.from([1, 0, 1])).string(Buffer.concat([Buffer.alloc(2), n]))),
    build('ssh-ed25519', (w) => w.string(Buffer.alloc(32))),
    build('ssh-ed25519', (w) => w.string(prime)),
    sk(''),
    sk('ssh: \t'),
    sk('a'.repeat(256)),
  ]);
  tally.beyond.add(DSA);
  expect([...tally.beyond].sort()).toEqual(REFUSED_BEYOND_OPENSSH.map(([reason]) => reason).sort());
});
