import { sshKeygenOk } from '../../support/ssh-keygen.ts';

/** What `ssh-keygen -L` says of a certificate file. */
export interface ReadCertificate {
  /** `ssh-ed25519-cert-v01@openssh.com user certificate` */
  readonly type: string;
  /** `ED25519-CERT SHA256:…` */
  readonly publicKey: string;
  /** `RSA SHA256:… (using rsa-sha2-512)` */
  readonly signingCa: string;
  readonly keyId: string;
  readonly serial: string;
  /** RFC 3339, whole seconds. */
  readonly validAfter: string;
  readonly validBefore: string;
  readonly principals: readonly string[];
  /** `force-command echo ok` */
  readonly criticalOptions: readonly string[];
  readonly extensions: readonly string[];
}

/** @throws where ssh-keygen reads it not, or prints what was not foreseen */
export async function readCertificate(file: string): Promise<ReadCertificate> {
  const printed = await sshKeygenOk(['-L', '-f', file]);
  const one = (name: string): string => {
    const value = new RegExp(`^ {8}${name}: (.+)$`, 'm').exec(printed)?.[1];
    if (value === undefined) throw new Error(`ssh-keygen -L prints no ${name}: ${printed}`);
    return value;
  };
  const list = (name: string): string[] => {
    const entries = new RegExp(`^ {8}${name}: (?:\\(none\\)|\\n((?: {16}.*\\n)*))`, 'm').exec(printed);
    if (entries === null) throw new Error(`ssh-keygen -L prints no ${name}: ${printed}`);
    return (entries[1] ?? '').split('\n').flatMap((line) => (line === '' ? [] : [line.trim()]));
  };
  const [, from = '', to = ''] = /^from (\S+) to (\S+)$/.exec(one('Valid')) ?? [];
  return {
    type: one('Type'),
    publicKey: one('Public key'),
    signingCa: one('Signing CA'),
    keyId: one('Key ID').slice(1, -1),
    serial: one('Serial'),
    // ssh-keygen runs in UTC here and does not say so.
    validAfter: `${from}Z`,
    validBefore: `${to}Z`,
    principals: list('Principals'),
    criticalOptions: list('Critical Options'),
    extensions: list('Extensions'),
  };
}
