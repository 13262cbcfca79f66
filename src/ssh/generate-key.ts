import { generateKeyPair as generate, type KeyObject } from 'node:crypto';
import { type PrivateKey, privateKeyOf } from './private-key.ts';

export const KEY_KINDS = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-3072', 'rsa-4096'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const CURVES = { 'ecdsa-p256': 'P-256', 'ecdsa-p384': 'P-384', 'ecdsa-p521': 'P-521' } as const;

/** A fresh key pair, made off the event loop (rsa takes up to seconds). */
export async function generateKeyPair(kind: KeyKind = 'ed25519', comment = ''): Promise<PrivateKey> {
  return privateKeyOf(await makeKey(kind), comment);
}

function makeKey(kind: KeyKind): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _public: KeyObject, key: KeyObject): void => {
      if (error === null) resolve(key);
      else reject(error);
    };
    if (kind === 'ed25519') generate('ed25519', undefined, done);
    else if (kind === 'rsa-3072' || kind === 'rsa-4096')
      generate('rsa', { modulusLength: Number(kind.slice(4)) }, done);
    else generate('ec', { namedCurve: CURVES[kind] }, done);
  });
}
