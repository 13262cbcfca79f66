import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { generateKeyPair, type KeyKind } from '../../../src/ssh/generate-key.ts';
import { encodeSignature, hashOf, rawSignatureFromNode, signatureAlgorithmOf } from '../../../src/ssh/signature.ts';
import { WireWriter } from '../../../src/ssh/wire.ts';

export interface HostIdentity {
  readonly blob: Buffer;
  sign(message: Buffer): Buffer;
}

/** A host's key with what it signs, of a kind that we certify. */
export async function hostOf(kind: KeyKind = 'ed25519'): Promise<HostIdentity> {
  const key = await generateKeyPair(kind);
  const algorithm = signatureAlgorithmOf(key.publicKey);
  return {
    blob: key.publicKey.blob,
    sign: (message) => {
      const raw = sign(hashOf(algorithm), message, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
      return encodeSignature(algorithm, rawSignatureFromNode(algorithm, raw));
    },
  };
}

/** Made once each: they take long. */
const rsaKeys = new Map<number, KeyObject>();

/** An rsa host key of any size. */
export function rsaHost(
  bits: number,
  algorithm: 'rsa-sha2-256' | 'rsa-sha2-512' | 'ssh-rsa' = 'rsa-sha2-512',
): HostIdentity {
  const privateKey = rsaKeys.get(bits) ?? generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
  rsaKeys.set(bits, privateKey);
  const jwk = privateKey.export({ format: 'jwk' });
  const number = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
  const hash = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512', 'ssh-rsa': 'sha1' }[algorithm];
  return {
    blob: new WireWriter().string('ssh-rsa').mpint(number(jwk.e)).mpint(number(jwk.n)).finish(),
    sign: (message) =>
      new WireWriter()
        .string(algorithm)
        .string(sign(hash, message, privateKey))
        .finish(),
  };
}

export function bindMessage(host: HostIdentity, sessionId: Buffer, forwarding: boolean, signed = sessionId): Buffer {
  return new WireWriter()
    .uint8(27)
    .string('session-bind@openssh.com')
    .string(host.blob)
    .string(sessionId)
    .string(host.sign(signed))
    .uint8(forwarding ? 1 : 0)
    .finish();
}

export interface LoginParts {
  readonly sessionId: Buffer;
  readonly blob: Buffer;
  readonly user?: string;
  readonly hostKey?: Buffer;
  readonly service?: string;
  readonly method?: string;
}

/** What ssh has signed to log in. */
export function loginData({ sessionId, blob, user = 'root', hostKey, service, method }: LoginParts): Buffer {
  const writer = new WireWriter()
    .string(sessionId)
    .uint8(50)
    .string(user)
    .string(service ?? 'ssh-connection')
    .string(method ?? (hostKey === undefined ? 'publickey' : 'publickey-hostbound-v00@openssh.com'))
    .uint8(1)
    .string('ssh-ed25519-cert-v01@openssh.com')
    .string(blob);
  if (hostKey !== undefined) writer.string(hostKey);
  return writer.finish();
}

export function signMessage(blob: Buffer, data: Buffer, flags = 0): Buffer {
  return new WireWriter().uint8(13).string(blob).string(data).uint32(flags).finish();
}

export function lockMessage(type: 22 | 23, passphrase: string): Buffer {
  return new WireWriter().uint8(type).string(passphrase).finish();
}

export function extensionMessage(name: string, body: Buffer = Buffer.alloc(0)): Buffer {
  return new WireWriter().uint8(27).string(name).raw(body).finish();
}
