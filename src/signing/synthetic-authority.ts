import { join } from 'node:path';
import { SYNTHETIC_PREFIX } from '../kernel/posture.ts';
import { generateKeyPair } from '../ssh/generate-key.ts';
import { formatPrivateKey } from '../ssh/private-key.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { writeKeyFile } from './key-file.ts';
import { loadPrivateKey } from './load-authority.ts';
import { LocalAuthority } from './local-authority.ts';
import { checkAuthorityPosture } from './posture-rule.ts';

/** In the state folder. */
export const SYNTHETIC_CA_FILE = 'synthetic_ca_ed25519';

/**
 * The dev posture's double of a certificate authority: the same code over an ed25519 key that says in its comment
 * what it is. The key is made on the first start and kept in the state folder, so that a test sshd that trusts it
 * goes on trusting it.
 * @throws WardenError config_invalid, posture_forbids where the file holds a key without the label
 */
export async function loadSyntheticAuthority(stateFolder: string, uid: number): Promise<CertificateAuthority> {
  const path = join(stateFolder, SYNTHETIC_CA_FILE);
  const key = await loadPrivateKey(path, 'file', uid).catch(async (error: unknown) => {
    if (!isMissing(error)) throw error;
    const bytes = formatPrivateKey(await generateKeyPair('ed25519', `${SYNTHETIC_PREFIX}ca`));
    // Two daemons that start at once: the one that comes second reads what the first wrote.
    await writeKeyFile(path, bytes).finally(() => bytes.fill(0));
    return await loadPrivateKey(path, 'file', uid);
  });
  const authority = new LocalAuthority({ key, custody: 'file', backend: 'synthetic' });
  checkAuthorityPosture('dev', authority.keys());
  await authority.ready();
  return authority;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
