import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from '../../../src/ssh/fingerprint.ts';
import { type KeyAlgorithm, parsePublicKeyLine } from '../../../src/ssh/public-key.ts';
import { makeSkKeyFile, type SkKeyType } from '../../support/sk-provider/sk-provider.ts';
import { keyFolder, testKey } from '../../support/ssh-keys.ts';

/** A key that someone logs in with. */
export interface Subject {
  readonly algorithm: KeyAlgorithm;
  /** The private key's file as ssh takes it; of an sk key the file that names the key in the device. */
  readonly file: string;
  readonly line: string;
  readonly fingerprint: string;
}

const SK_TYPES: Partial<Record<KeyAlgorithm, SkKeyType>> = {
  'sk-ssh-ed25519@openssh.com': 'ed25519-sk',
  'sk-ecdsa-sha2-nistp256@openssh.com': 'ecdsa-sk',
};

/** `skOptions` as ssh-keygen's -O takes them, for security keys. */
export async function makeSubject(
  algorithm: KeyAlgorithm,
  name: string,
  skOptions: readonly string[] = [],
): Promise<Subject> {
  const file = await makeFile(algorithm, name, skOptions);
  const line = readFileSync(`${file}.pub`, 'utf8').trimEnd();
  return { algorithm, file, line, fingerprint: fingerprint(parsePublicKeyLine(line).blob) };
}

async function makeFile(algorithm: KeyAlgorithm, name: string, skOptions: readonly string[]): Promise<string> {
  const skType = SK_TYPES[algorithm];
  if (skType === undefined) {
    const { file } = await testKey(algorithm, name);
    if (file === null) throw new Error(`there is no file of a ${algorithm} key`);
    return file;
  }
  const folder = join(keyFolder(), `sk-${name}`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, skType);
  await makeSkKeyFile(file, skType, skOptions);
  return file;
}
