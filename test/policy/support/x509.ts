import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Just enough X.509 for TLS tests, so that no private key lies in the repository. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority extends TestCertificate {
  issue(name: string, more?: { readonly notAfter?: Date; readonly ip?: string }): TestCertificate;
}

export function testAuthority(name: string): TestAuthority {
  const pair = generateKeyPairSync('ed25519');
  const authority = { name, key: pair.privateKey };
  const self = certificate({ name, publicKey: pair.publicKey, issuer: authority, isCa: true });
  return {
    ...self,
    key: pem(pair.privateKey),
    issue(leafName, more = {}) {
      const leaf = generateKeyPairSync('ed25519');
      const made = certificate({ name: leafName, publicKey: leaf.publicKey, issuer: authority, isCa: false, ...more });
      return { ...made, key: pem(leaf.privateKey) };
    },
  };
}

interface Wanted {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly isCa: boolean;
  readonly notAfter?: Date;
  readonly ip?: string;
}

let serial = 1;

function certificate(wanted: Wanted): { cert: string } {
  const ed25519 = sequence(oid('2b6570'));
  const extensions = [
    extension('551d13', wanted.isCa ? sequence(der(0x01, Buffer.of(0xff))) : sequence()),
    ...(wanted.isCa ? [] : [extension('551d11', alternativeName(wanted.ip))]),
  ];
  serial += 1;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(serial)),
    ed25519,
    distinguishedName(wanted.issuer.name),
    sequence(time(new Date('2020-01-01T00:00:00Z')), time(wanted.notAfter ?? new Date('2049-01-01T00:00:00Z'))),
    distinguishedName(wanted.name),
    wanted.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign(null, body, wanted.issuer.key);
  const whole = sequence(body, ed25519, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return { cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n` };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

function alternativeName(ip = '127.0.0.1'): Buffer {
  return sequence(der(0x87, Buffer.from(ip.split('.').map(Number))));
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
}

function time(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
