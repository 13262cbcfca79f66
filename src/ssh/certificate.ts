import { WardenError } from '../kernel/errors.ts';
import { type CertificateOption, readOptions, writeOptions } from './certificate-options.ts';
import { readKeyBody } from './key-body.ts';
import { decodeBase64, isPrintable, joinKeyLine, splitKeyLine } from './key-line.ts';
import { certificateTypeOf, KEY_TYPES, type KeyType } from './key-types.ts';
import { type PublicKey, parsePublicKeyBlob } from './public-key.ts';
import { signatureAlgorithmIn, verifySignature } from './signature.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/** What a certificate says, before it is signed. Windows in seconds since the epoch: valid from `validAfter` until before `validBefore`. */
export interface CertificateFields {
  /** 32 fresh random bytes. */
  readonly nonce: Buffer;
  readonly publicKey: PublicKey;
  readonly serial: bigint;
  readonly kind: 'user' | 'host';
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly criticalOptions: readonly CertificateOption[];
  readonly extensions: readonly CertificateOption[];
  readonly signatureKey: PublicKey;
}

/** A certificate as read. Buffers are views into `blob`; none is to be written to. */
export interface Certificate extends CertificateFields {
  /** `ssh-ed25519-cert-v01@openssh.com` and the like. */
  readonly algorithm: string;
  /** As the signature names it: need not be one that `verifyCertificate` takes. */
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  /** The bytes under the signature. */
  readonly tbs: Buffer;
  readonly blob: Buffer;
}

const NONCE_BYTES = 32;
const MAX_KEY_ID_BYTES = 255;
const MAX_PRINCIPAL_BYTES = 255;
/** OpenSSH reads no more (SSHKEY_CERT_MAX_PRINCIPALS). */
const MAX_PRINCIPALS = 256;
const MAX_BLOB_BYTES = 128 * 1024;
const MAX_LINE_LENGTH = 192 * 1024;
const HINT = 'ssh-keygen -L -f FILE shows what a certificate holds';
const FOREVER = 0xffff_ffff_ffff_ffffn;

/**
 * The bytes that the authority signs. @throws WardenError disallowed_principal, else invalid_request, where the
 * fields would make a certificate that says nothing, too much, or not what was meant
 */
export function encodeToBeSigned(fields: CertificateFields): Buffer {
  checkPrincipals(fields.principals);
  return asCertificateError(() => {
    checkFields(fields);
    const type = KEY_TYPES[fields.publicKey.algorithm];
    const writer = new WireWriter(2048);
    writer.string(type.certificate).string(fields.nonce);
    // What follows the type word in a key's blob is what a certificate repeats.
    writer.raw(fields.publicKey.blob.subarray(4 + type.algorithm.length));
    writer.uint64(fields.serial).uint32(fields.kind === 'user' ? 1 : 2);
    writer.string(fields.keyId);
    writer.nested((list) => {
      for (const principal of fields.principals) list.string(principal);
    });
    writer.uint64(fields.validAfter).uint64(fields.validBefore);
    writeOptions(writer, fields.criticalOptions, 'critical options');
    writeOptions(writer, fields.extensions, 'extensions');
    return writer.uint32(0).string(fields.signatureKey.blob).finish();
  });
}

/** The certificate: what was signed and its signature blob (see `encodeSignature`). */
export function assembleCertificate(tbs: Buffer, signatureBlob: Buffer): Buffer {
  return new WireWriter(tbs.length + 4 + signatureBlob.length).raw(tbs).string(signatureBlob).finish();
}

/**
 * Reads a certificate's wire encoding (copied). Form only: the signature is `verifyCertificate`'s, the window and
 * the rest are the caller's to judge. Takes what OpenSSH and OpenBao write, in one form only: options sorted and
 * unique, nothing reserved, nothing trailing. @throws WardenError invalid_request
 */
export function parseCertificate(blob: Buffer): Certificate {
  return asCertificateError(() => {
    if (blob.length > MAX_BLOB_BYTES) throw new WireError(`the certificate is longer than ${MAX_BLOB_BYTES} bytes`);
    return readCertificate(Buffer.from(blob));
  });
}

/** Reads one line of a -cert.pub file. @throws WardenError invalid_request */
export function parseCertificateLine(text: string): Certificate {
  return asCertificateError(() => {
    const line = splitKeyLine(text, MAX_LINE_LENGTH);
    if (certificateTypeOf(line.word) === undefined)
      throw new WireError('the line does not begin with a certificate type');
    const certificate = readCertificate(decodeBase64(line.base64, 'the certificate after its type'));
    if (certificate.algorithm === line.word) return certificate;
    throw new WireError(`the line says ${line.word} and the certificate in it is ${certificate.algorithm}`);
  });
}

/** `type base64 comment` without a line end. @throws WardenError invalid_request */
export function formatCertificateLine(certificate: Certificate | Buffer, comment = ''): string {
  const blob = Buffer.isBuffer(certificate) ? certificate : certificate.blob;
  const word = asCertificateError(() => readType(new WireReader(blob)).certificate);
  return asCertificateError(() => joinKeyLine(word, blob, comment));
}

/**
 * Is the signature good, by the key that the certificate names, or, where `authority` is given, by that very key?
 * Give the authority that you trust wherever you know it.
 */
export function verifyCertificate(certificate: Certificate, authority: PublicKey = certificate.signatureKey): boolean {
  if (!authority.blob.equals(certificate.signatureKey.blob)) return false;
  return verifySignature(authority, certificate.tbs, certificate.signature);
}

function readCertificate(blob: Buffer): Certificate {
  const reader = new WireReader(blob);
  const type = readType(reader);
  const nonce = reader.string('the nonce', 256);
  const publicKey = readSubject(reader, blob, type);
  const serial = reader.uint64('the serial');
  const kind = readKind(reader.uint32('the certificate kind'));
  const keyId = reader.utf8('the key id');
  const principals = readPrincipals(new WireReader(reader.string('the principals')));
  const validAfter = reader.uint64('the start of validity');
  const validBefore = reader.uint64('the end of validity');
  if (validAfter > validBefore) throw new WireError('validity ends before it begins');
  const criticalOptions = readOptions(reader, 'critical options');
  const extensions = readOptions(reader, 'extensions');
  if (reader.string('the reserved field').length > 0) throw new WireError('the reserved field is not empty');
  const signatureKey = parsePublicKeyBlob(reader.string("the authority's key"));
  const tbs = blob.subarray(0, reader.offset);
  const signature = reader.string('the signature');
  reader.end('the certificate');
  const signatureAlgorithm = signatureAlgorithmIn(signature);
  return {
    algorithm: type.certificate,
    nonce,
    publicKey,
    serial,
    kind,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    signatureKey,
    signatureAlgorithm,
    signature,
    tbs,
    blob,
  };
}

function readType(reader: WireReader): KeyType {
  const type = certificateTypeOf(reader.string('the certificate type', 64).toString('latin1'));
  if (type === undefined) throw new WireError('the certificate type is none that is accepted');
  return type;
}

/** The subject's key in its own encoding: the type word, then the bytes that the certificate has after the nonce. */
function readSubject(reader: WireReader, blob: Buffer, type: KeyType): PublicKey {
  const start = reader.offset;
  const { bits } = readKeyBody(reader, type);
  const writer = new WireWriter(4 + type.algorithm.length + reader.offset - start);
  writer.string(type.algorithm).raw(blob.subarray(start, reader.offset));
  return { algorithm: type.algorithm, blob: writer.finish(), bits, comment: '' };
}

function readKind(kind: number): 'user' | 'host' {
  if (kind === 1) return 'user';
  if (kind === 2) return 'host';
  throw new WireError('the certificate is neither a user nor a host certificate');
}

function readPrincipals(list: WireReader): string[] {
  const principals: string[] = [];
  while (list.remaining > 0) {
    if (principals.length === MAX_PRINCIPALS) throw new WireError(`there are more than ${MAX_PRINCIPALS} principals`);
    principals.push(list.utf8('a principal'));
  }
  return principals;
}

/**
 * No principals would mean any user, or any host (CVE-2024-7594); a comma would be two principals to those who
 * join and split (GHSA-59w7-v8rr-pr4p).
 */
function checkPrincipals(principals: readonly string[]): void {
  const refuse = (message: string): never => {
    throw new WardenError('disallowed_principal', message);
  };
  if (principals.length === 0) refuse('a certificate without principals would be good for any name');
  if (principals.length > MAX_PRINCIPALS) refuse(`there are more than ${MAX_PRINCIPALS} principals`);
  if (new Set(principals).size !== principals.length) refuse('a principal stands twice');
  for (const principal of principals) {
    if (principal === '' || principal.trim() !== principal) refuse('a principal is empty or has white space at an end');
    if (principal.includes(',')) refuse('a principal holds a comma');
    if (!isPrintable(principal)) refuse('a principal holds control or invisible characters');
    if (Buffer.byteLength(principal) > MAX_PRINCIPAL_BYTES)
      refuse(`a principal is longer than ${MAX_PRINCIPAL_BYTES} bytes`);
  }
}

function checkFields(fields: CertificateFields): void {
  if (fields.nonce.length !== NONCE_BYTES) throw new WireError(`the nonce is not ${NONCE_BYTES} bytes long`);
  if (!/^[\x20-\x7e]+$/.test(fields.keyId)) throw new WireError('the key id is empty or not printable ASCII');
  if (fields.keyId.length > MAX_KEY_ID_BYTES)
    throw new WireError(`the key id is longer than ${MAX_KEY_ID_BYTES} bytes`);
  if (fields.serial < 0n || fields.serial > FOREVER) throw new WireError('the serial does not fit into 64 bits');
  if (fields.validAfter < 0n || fields.validBefore > FOREVER)
    throw new WireError('the validity does not fit into 64 bits');
  if (fields.validAfter >= fields.validBefore) throw new WireError('validity ends before it begins');
}

/** WireErrors, and the refusals of the keys inside, as one reason with a hint of its own. */
function asCertificateError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const inside = error instanceof WardenError && error.code.startsWith('public_key_');
    if (!inside && !(error instanceof WireError)) throw error;
    const message = inside ? `a key in the certificate is refused: ${error.message}` : (error as Error).message;
    throw new WardenError('invalid_request', message, { cause: error, hint: HINT });
  }
}
