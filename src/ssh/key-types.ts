/** The key types that wardend accepts, as subjects and as authorities, and what is known of each. */
export type KeyAlgorithm =
  | 'ssh-ed25519'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'ssh-rsa'
  | 'sk-ssh-ed25519@openssh.com'
  | 'sk-ecdsa-sha2-nistp256@openssh.com';

/** One NIST curve under the names that its users have for it. */
export interface Curve {
  readonly ssh: string;
  readonly openssl: string;
  readonly bits: number;
  /** Length of one coordinate in bytes. */
  readonly bytes: number;
  /** What ECDSA over this curve hashes with (RFC 5656, section 6.2.1). */
  readonly hash: string;
  /** The DER of a SubjectPublicKeyInfo up to the uncompressed point (RFC 5480). */
  readonly spkiPrefix: Buffer;
}

export type KeyType = {
  readonly algorithm: KeyAlgorithm;
  /** The type word of certificates over such a key. */
  readonly certificate: string;
  /** Held by a FIDO authenticator: signatures carry flags and a counter. */
  readonly sk: boolean;
} & ({ readonly family: 'ed25519' } | { readonly family: 'ecdsa'; readonly curve: Curve } | { readonly family: 'rsa' });

const P256: Curve = {
  ssh: 'nistp256',
  openssl: 'prime256v1',
  bits: 256,
  bytes: 32,
  hash: 'sha256',
  spkiPrefix: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
};
const P384: Curve = {
  ssh: 'nistp384',
  openssl: 'secp384r1',
  bits: 384,
  bytes: 48,
  hash: 'sha384',
  spkiPrefix: Buffer.from('3076301006072a8648ce3d020106052b81040022036200', 'hex'),
};
const P521: Curve = {
  ssh: 'nistp521',
  openssl: 'secp521r1',
  bits: 521,
  bytes: 66,
  hash: 'sha512',
  spkiPrefix: Buffer.from('30819b301006072a8648ce3d020106052b8104002303818600', 'hex'),
};

export const KEY_TYPES: Readonly<Record<KeyAlgorithm, KeyType>> = {
  'ssh-ed25519': {
    algorithm: 'ssh-ed25519',
    certificate: 'ssh-ed25519-cert-v01@openssh.com',
    sk: false,
    family: 'ed25519',
  },
  'ecdsa-sha2-nistp256': {
    algorithm: 'ecdsa-sha2-nistp256',
    certificate: 'ecdsa-sha2-nistp256-cert-v01@openssh.com',
    sk: false,
    family: 'ecdsa',
    curve: P256,
  },
  'ecdsa-sha2-nistp384': {
    algorithm: 'ecdsa-sha2-nistp384',
    certificate: 'ecdsa-sha2-nistp384-cert-v01@openssh.com',
    sk: false,
    family: 'ecdsa',
    curve: P384,
  },
  'ecdsa-sha2-nistp521': {
    algorithm: 'ecdsa-sha2-nistp521',
    certificate: 'ecdsa-sha2-nistp521-cert-v01@openssh.com',
    sk: false,
    family: 'ecdsa',
    curve: P521,
  },
  'ssh-rsa': { algorithm: 'ssh-rsa', certificate: 'ssh-rsa-cert-v01@openssh.com', sk: false, family: 'rsa' },
  'sk-ssh-ed25519@openssh.com': {
    algorithm: 'sk-ssh-ed25519@openssh.com',
    certificate: 'sk-ssh-ed25519-cert-v01@openssh.com',
    sk: true,
    family: 'ed25519',
  },
  'sk-ecdsa-sha2-nistp256@openssh.com': {
    algorithm: 'sk-ecdsa-sha2-nistp256@openssh.com',
    certificate: 'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
    sk: true,
    family: 'ecdsa',
    curve: P256,
  },
};

const BY_WORD = new Map(Object.values(KEY_TYPES).map((type) => [type.algorithm as string, type]));
const BY_CERTIFICATE_WORD = new Map(Object.values(KEY_TYPES).map((type) => [type.certificate, type]));

/** The key type of an algorithm word; undefined where wardend accepts no such keys. */
export function keyTypeOf(word: string): KeyType | undefined {
  return BY_WORD.get(word);
}

/** The key type that certificates of this type word are over. */
export function certificateTypeOf(word: string): KeyType | undefined {
  return BY_CERTIFICATE_WORD.get(word);
}

/** Any certificate type word, also of key types that wardend does not know. */
export function isCertificateWord(word: string): boolean {
  return /-cert-v0[01]@openssh\.com$/.test(word);
}
