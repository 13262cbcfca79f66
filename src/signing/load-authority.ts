import { join } from 'node:path';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { type PrivateKey, parsePrivateKey, publicKeyOfFile } from '../ssh/private-key.ts';
import { type PublicKey, parsePublicKeyLine } from '../ssh/public-key.ts';
import { AgentAuthority } from './agent-authority.ts';
import type { AuthorityKey, CertificateAuthority } from './certificate-authority.ts';
import { type KeyFile, type KeyFileKind, readKeyFile } from './key-file.ts';
import { type KeySource, parseKeySetting } from './key-setting.ts';
import { LocalAuthority } from './local-authority.ts';
import { checkAuthorityPosture, checkKeyPosture } from './posture-rule.ts';
import { SshAgent } from './ssh-agent.ts';

/** `ca:` of warden.yaml, paths absolute. */
export interface AuthoritySettings {
  readonly key: string;
  readonly next: string | null;
  readonly retired: readonly string[];
}

export interface AuthorityContext {
  readonly posture: EnvPosture;
  /** The daemon's uid: it or root must own key files. */
  readonly uid: number;
  /** $CREDENTIALS_DIRECTORY; null where the service manager gave none. */
  readonly credentialsDirectory: string | null;
  /** $SSH_AUTH_SOCK; null where there is none. */
  readonly agentSocket: string | null;
}

/**
 * The local authority that the settings name, with the posture's rule already held against its keys. An agent
 * that is not there yet is no error here: `ready()` says so, and it is found when it comes.
 * @throws WardenError config_invalid | posture_forbids | public_key_…, ca_unavailable for an agent-held `next` or `retired` key
 */
export async function loadAuthority(
  settings: AuthoritySettings,
  context: AuthorityContext,
): Promise<CertificateAuthority> {
  const source = parseKeySetting(settings.key);
  const others = await loadOthers(settings, context);
  if (source.kind === 'agent') {
    refuseSame(source.fingerprint, others);
    checkAuthorityPosture(context.posture, others);
    return new AgentAuthority({
      agent: agentOf(context),
      fingerprint: source.fingerprint,
      others,
      accept: (key) => checkKeyPosture(context.posture, key),
    });
  }
  const { key, since } = await loadDatedKey(pathOf(source, context), source.kind, context.uid);
  refuseSame(fingerprint(key.publicKey.blob), others);
  const authority = new LocalAuthority({ key, custody: source.kind, ...dated(since), others });
  checkAuthorityPosture(context.posture, authority.keys());
  await authority.ready();
  return authority;
}

/** @throws WardenError config_invalid | public_key_too_weak, naming the file */
export async function loadPrivateKey(path: string, custody: 'file' | 'credential', uid: number): Promise<PrivateKey> {
  return (await loadDatedKey(path, custody, uid)).key;
}

async function loadDatedKey(
  path: string,
  custody: 'file' | 'credential',
  uid: number,
): Promise<{ readonly key: PrivateKey; readonly since: number | undefined }> {
  const file = await readKeyFile(path, uid);
  try {
    file.guard(custody === 'credential' ? 'credential' : 'private');
    return { key: namingFile(path, () => parsePrivateKey(file.bytes)), since: ageOf(file, custody) };
  } finally {
    file.bytes.fill(0);
  }
}

/** A credential's file is written anew whenever the service starts. */
function ageOf({ writtenAt }: KeyFile, custody: 'file' | 'credential'): number | undefined {
  return custody === 'file' ? writtenAt : undefined;
}

function dated(since: number | undefined): { since?: number } {
  return since === undefined ? {} : { since };
}

async function loadOthers(settings: AuthoritySettings, context: AuthorityContext): Promise<AuthorityKey[]> {
  const wanted: [string, 'next' | 'retired'][] = settings.retired.map((setting) => [setting, 'retired']);
  if (settings.next !== null) wanted.unshift([settings.next, 'next']);
  const keys: AuthorityKey[] = [];
  for (const [setting, state] of wanted) {
    const source = parseKeySetting(setting);
    if (source.kind === 'agent') {
      const publicKey = await publicKeyInAgent(source.fingerprint, context);
      keys.push({ publicKey, comment: publicKey.comment, state, custody: 'agent' });
    } else {
      const { key, since } = await loadPublicKey(pathOf(source, context), source.kind, context.uid);
      keys.push({ publicKey: key, comment: key.comment, state, custody: source.kind, ...dated(since) });
    }
  }
  return keys;
}

/**
 * The public half is all that is wanted of next and retired keys: a .pub file, a private one (encrypted or not),
 * or the .pub beside one that was put away.
 */
async function loadPublicKey(
  path: string,
  custody: 'file' | 'credential',
  uid: number,
): Promise<{ readonly key: PublicKey; readonly since: number | undefined }> {
  const file = await readKeyFile(path, uid).catch(async (error: unknown) => {
    if (path.endsWith('.pub')) throw error;
    return await readKeyFile(`${path}.pub`, uid).catch(() => {
      throw error;
    });
  });
  try {
    const isPrivate = file.bytes.subarray(0, 5).toString('latin1') === '-----';
    const kind: KeyFileKind = custody === 'credential' ? 'credential' : isPrivate ? 'private' : 'public';
    file.guard(kind);
    const key = namingFile(path, () =>
      isPrivate ? publicKeyOfFile(file.bytes) : parsePublicKeyLine(file.bytes.toString('utf8')),
    );
    return { key, since: ageOf(file, custody) };
  } finally {
    file.bytes.fill(0);
  }
}

async function publicKeyInAgent(wanted: string, context: AuthorityContext): Promise<PublicKey> {
  const authority = new AgentAuthority({ agent: agentOf(context), fingerprint: wanted });
  try {
    await authority.ready();
    const [key] = authority.keys();
    if (key !== undefined) return key.publicKey;
    throw new WardenError('ca_unavailable', `the ssh-agent does not hold the CA key ${wanted}`);
  } catch (error) {
    throw asWardenError(error).with({ hint: 'name the .pub file of a next or retired key instead of the agent' });
  } finally {
    await authority.close();
  }
}

function agentOf(context: AuthorityContext): SshAgent {
  if (context.agentSocket !== null && context.agentSocket !== '') return new SshAgent(context.agentSocket);
  throw new WardenError('config_invalid', 'the CA key is in an ssh-agent, and SSH_AUTH_SOCK is not set', {
    hint: "set SSH_AUTH_SOCK in the daemon's environment (a systemd unit: Environment=SSH_AUTH_SOCK=…)",
  });
}

function pathOf(source: Exclude<KeySource, { kind: 'agent' }>, context: AuthorityContext): string {
  if (source.kind === 'file') return source.path;
  if (context.credentialsDirectory !== null && context.credentialsDirectory !== '') {
    return join(context.credentialsDirectory, source.name);
  }
  throw new WardenError('config_invalid', `credential:${source.name} is wanted, and CREDENTIALS_DIRECTORY is not set`, {
    hint: `give the unit LoadCredential=${source.name}:FILE or LoadCredentialEncrypted=${source.name}:FILE`,
  });
}

/** A key that signs must not be published as one that is no longer, or not yet, to be trusted. */
function refuseSame(current: string, others: readonly AuthorityKey[]): void {
  const same = others.find((key) => fingerprint(key.publicKey.blob) === current);
  if (same === undefined) return;
  throw new WardenError('config_invalid', `the current CA key stands under ca.${same.state} too`, {
    hint: `take it out of ca.${same.state} in warden.yaml`,
  });
}

function namingFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code, message, details, hint } = asWardenError(error);
    throw new WardenError(code, `${path}: ${message}`, { ...details, hint: hint.replaceAll('FILE', path) });
  }
}
