/** What sshd logs of the certificate that it let in. */
export interface Accepted {
  readonly user: string;
  /** `ED25519-CERT` */
  readonly keyType: string;
  readonly fingerprint: string;
  readonly keyId: string;
  readonly serial: string;
  /** `RSA` */
  readonly caType: string;
  readonly caFingerprint: string;
}

const LINE =
  /^Accepted publickey for (\S+) from 127\.0\.0\.1 port \d+ ssh2: (\S+) (SHA256:\S+) ID (.+) \(serial (\d+)\) CA (\S+) (SHA256:\S+)$/m;

/** Null where sshd accepted no certificate. */
export function accepted(log: string): Accepted | null {
  const fields = LINE.exec(log)?.slice(1);
  if (fields === undefined) return null;
  const [user = '', keyType = '', fingerprint = '', keyId = '', serial = '', caType = '', caFingerprint = ''] = fields;
  return { user, keyType, fingerprint, keyId, serial, caType, caFingerprint };
}
