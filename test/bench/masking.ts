import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { prepareMask } from '../../src/access/masking/create-masker.ts';
import { Secret } from '../../src/kernel/secret.ts';
import type { Benchmark } from './stats.ts';

const CHUNK = 65_536;
const CHUNKS = 512;

const digestOf = (chunks: readonly Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
};

/** Of the processor: all that is done here is computing, and what else the machine does is no part of it. */
const milliseconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;

/** Lines of a log with colours, JSON and base64, and in each 10 kB a value in one of four forms; the first `quiet` are in none. */
function makeOutput(secrets: readonly string[], quiet: number): { chunks: Buffer[]; masked: string } {
  const [lines, masked]: [string[], string[]] = [[], []];
  let [length, since, marks] = [0, 0, 0];
  for (let line = 0; length < CHUNK * CHUNKS; line++) {
    const noise = randomBytes(48);
    const text = [
      `\x1b[32m2026-01-02T03:04:05.${line % 1000}Z\x1b[0m INFO request ${line} took ${(line * 7919) % 997} ms\r\n`,
      `{"level":30,"user":"u${line}","path":"/v1/items/${line % 77}","agent":"curl/8.5 (\\"x\\")"}\n`,
      `${noise.toString('base64')}\n`,
      `${noise.toString('hex')}\n`,
    ][line % 4] as string;
    lines.push(text);
    masked.push(text);
    length += text.length;
    since += text.length;
    if (since < 10_000) continue;
    since = 0;
    const which = quiet + (marks % (secrets.length - quiet));
    const secret = secrets[which] as string;
    const forms = [
      secret,
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('hex'),
      encodeURIComponent(secret),
    ];
    const form = forms[marks % 4] as string;
    lines.push(`token: ${form}\n`);
    masked.push(`token: [masked:r${which}]\n`);
    length += form.length;
    marks++;
  }
  const all = Buffer.from(lines.join(''));
  const chunks = [...Array(Math.ceil(all.length / CHUNK)).keys()].map((at) =>
    all.subarray(at * CHUNK, (at + 1) * CHUNK),
  );
  return { chunks, masked: digestOf([Buffer.from(masked.join(''))]) };
}

const words = (count: number): string[] =>
  Array.from({ length: count }, () => `${randomBytes(21).toString('base64url')}/+é`);

const privateKey = (modulusLength: number): string =>
  generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey.trim();

/** As clouds hand them out, in a file. */
function serviceAccount(): string {
  const email = 'builder@example-project.iam.gserviceaccount.com';
  const account = {
    type: 'service_account',
    project_id: 'example-project',
    private_key_id: randomBytes(20).toString('hex'),
    private_key: `${privateKey(2048)}\n`,
    client_email: email,
    client_id: '108234567890123456789',
    auth_uri: 'https://accounts.example.com/o/oauth2/auth',
    token_uri: 'https://oauth2.example.com/token',
    auth_provider_x509_cert_url: 'https://www.example.com/oauth2/v1/certs',
    client_x509_cert_url: `https://www.example.com/robot/v1/metadata/x509/${encodeURIComponent(email)}`,
    universe_domain: 'example.com',
  };
  return JSON.stringify(account, null, 2);
}

/** All forms of ten values, over chunk ends, against ten plain searches of each chunk, which find the raw form alone. */
const throughputOf = (name: string, what: string, quiet: number, secretsOf: () => string[]): Benchmark => ({
  name,
  unit: 'MB/s',
  baseline: 'Buffer.indexOf of each of the ten, raw',
  aim: '150 MB/s',
  warmUp: 2,
  async setUp() {
    const secrets = secretsOf();
    const { chunks, masked } = makeOutput(secrets, quiet);
    const needles = secrets.map((secret) => Buffer.from(secret));
    const mask = prepareMask(
      secrets.map((secret, index) => ({ route: `r${index}`, value: Secret.fromString(secret) })),
    );
    const megabytes = chunks.reduce((sum, { length }) => sum + length, 0) / 1e6;
    const raw = needles.map(() => 0);
    return {
      async ours() {
        const masker = mask.masker();
        const out: Uint8Array[] = [];
        const began = process.cpuUsage();
        for (const chunk of chunks) out.push(masker.push(chunk));
        out.push(masker.end());
        const ms = milliseconds(process.cpuUsage(began));
        if (digestOf(out) !== masked) throw new Error('the output is not masked as it should be');
        return (megabytes * 1000) / ms;
      },
      async baseline() {
        raw.fill(0);
        const began = process.cpuUsage();
        for (const chunk of chunks) {
          for (const [index, needle] of needles.entries()) {
            for (let at = chunk.indexOf(needle); at >= 0; at = chunk.indexOf(needle, at + 1))
              raw[index] = (raw[index] ?? 0) + 1;
          }
        }
        const ms = milliseconds(process.cpuUsage(began));
        if (raw.reduce((sum, found) => sum + found, 0) === 0) throw new Error('no value was found');
        return (megabytes * 1000) / ms;
      },
      async tearDown() {},
      notes: () => `(${CHUNKS} chunks of 64 KiB, ${what})`,
    };
  },
});

export const maskThroughput = throughputOf('mask_throughput', 'ten values of 33 bytes', 0, () => words(10));

/** As people have them: keys and key files have a hundred lines and texts, each of which is looked for in all forms. */
export const maskThroughputPem = throughputOf(
  'mask_throughput_pem',
  'an RSA key of 4096 bits, a JSON key file and eight values of 33 bytes, of which the eight are printed',
  2,
  () => [privateKey(4096), serviceAccount(), ...words(8)],
);
