import { hostname } from 'node:os';
import type { EnvPosture } from '../src/kernel/posture.ts';
import { fingerprint } from '../src/ssh/fingerprint.ts';
import { generateKeyPair } from '../src/ssh/generate-key.ts';
import { formatPrivateKey } from '../src/ssh/private-key.ts';
import { formatPublicKey } from '../src/ssh/public-key.ts';
import { actorNameOf, inventoryYaml, wardenYaml } from './init-files.ts';
import type { NewFile } from './new-folder.ts';

export interface NewConfig {
  /** The one actor: its caller is the login it was made for. */
  readonly actor: string;
  readonly files: readonly NewFile[];
  /** Overwrites the private key in memory. */
  dispose(): void;
}

/** A config that works at once, CA key included, for one login. */
export async function newConfig(
  posture: EnvPosture,
  { username, uid }: { readonly username: string; readonly uid: number },
  place: 'user' | 'system' = 'user',
): Promise<NewConfig> {
  const actor = actorNameOf(username, uid);
  const label = posture === 'dev' ? 'synthetic-ca' : 'warden-ca';
  const host = hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'host';
  const key = await generateKeyPair('ed25519', `${label}-${posture}-${host}`);
  const secret = formatPrivateKey(key);
  const files: NewFile[] = [
    { name: 'warden.yaml', bytes: wardenYaml(posture, place), mode: 0o600, what: 'settings' },
    { name: 'inventory.yaml', bytes: inventoryYaml(actor, username, uid), mode: 0o600, what: `actor ${actor}: you` },
    { name: 'ca_ed25519', bytes: secret, mode: 0o600, what: 'the CA private key; whoever has it signs' },
    {
      name: 'ca_ed25519.pub',
      bytes: `${formatPublicKey(key.publicKey)}\n`,
      mode: 0o644,
      what: fingerprint(key.publicKey.blob),
    },
  ];
  return { actor, files, dispose: () => void secret.fill(0) };
}
