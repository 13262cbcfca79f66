import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  sign as signNow,
  verify as verifyNow,
} from 'node:crypto';
import { constants, promises as fs } from 'node:fs';
import { join } from 'node:path';
import { WardenError } from '../kernel/errors.ts';
import { writeDurably } from './files.ts';

const KEY_FILE = 'ledger_ed25519';
const PUBLIC_KEY_FILE = 'ledger_ed25519.pub';

/** The ledger's own key: signs heads, checkpoints and recoveries. Never the certificate authority's. */
export interface LedgerKey {
  readonly publicKey: KeyObject;
  /** `SHA256:…` over the public key (SPKI, DER). */
  readonly signer: string;
  /** HMAC-SHA256 under a key that is drawn from this one and from `purpose`, hex. */
  mac(purpose: string, message: Buffer): string;
  /** Ed25519, base64 (88 characters). */
  sign(message: Buffer): string;
}

export function fingerprintOf(publicKey: KeyObject): string {
  const digest = hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer');
  return `SHA256:${digest.toString('base64').replace(/=+$/, '')}`;
}

export function isSignedBy(publicKey: KeyObject, message: Buffer, signature: string): boolean {
  const raw = Buffer.from(signature, 'base64');
  // Only one spelling of a signature counts, else a line could be changed without a trace.
  return raw.length === 64 && raw.toString('base64') === signature && verifyNow(null, message, publicKey, raw);
}

function ledgerKey(privateKey: KeyObject): LedgerKey {
  const publicKey = createPublicKey(privateKey);
  const macKeys = new Map<string, Buffer>();
  const macKey = (purpose: string): Buffer => {
    const known = macKeys.get(purpose);
    if (known !== undefined) return known;
    const secret = privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = Buffer.from(hkdfSync('sha256', secret, '', `wardend ledger ${purpose} v1`, 32));
    secret.fill(0);
    macKeys.set(purpose, key);
    return key;
  };
  return {
    publicKey,
    signer: fingerprintOf(publicKey),
    mac: (purpose, message) => createHmac('sha256', macKey(purpose)).update(message).digest('hex'),
    sign: (message) => signNow(null, message, privateKey).toString('base64'),
  };
}

/** Makes a key and keeps it in `dir` (0600), its public half beside it. Durable when it resolves. */
export async function createLedgerKey(dir: string): Promise<{ key: LedgerKey; save: () => Promise<void> }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const save = async (): Promise<void> => {
    await writeDurably(join(dir, PUBLIC_KEY_FILE), publicKey.export({ type: 'spki', format: 'pem' }), 0o644);
    await writeDurably(join(dir, KEY_FILE), privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
  };
  return { key: ledgerKey(privateKey), save };
}

/**
 * The key in `dir`; null where there is none.
 * @throws WardenError ledger_broken where it can't be read, is no Ed25519 key, or others may read it
 */
export async function loadLedgerKey(dir: string): Promise<LedgerKey | null> {
  const path = join(dir, KEY_FILE);
  let pem: Buffer;
  try {
    const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { mode } = await file.stat();
      if ((mode & 0o077) !== 0) {
        throw new WardenError('ledger_broken', `the ledger key ${path} is readable by others`, {
          hint: `chmod 600 ${path}`,
        });
      }
      pem = await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (cause instanceof WardenError) throw cause;
    throw new WardenError('ledger_broken', `the ledger key ${path} can't be read`, { cause });
  }
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('wrong key type');
    return ledgerKey(privateKey);
  } catch (cause) {
    throw new WardenError('ledger_broken', `the ledger key ${path} is no ed25519 key`, { cause });
  } finally {
    pem.fill(0);
  }
}

/** The public half as an auditor has it: `ledger_ed25519.pub`, else out of the key itself; null where neither is. */
export async function loadPublicKey(dir: string): Promise<KeyObject | null> {
  const key = await loadLedgerKey(dir).catch(() => null);
  if (key !== null) return key.publicKey;
  try {
    return createPublicKey(await fs.readFile(join(dir, PUBLIC_KEY_FILE)));
  } catch {
    return null;
  }
}
