import * as z from 'zod';
import type { ActorType } from '../inventory/actor.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { OpenBaoFault } from '../openbao/fault.ts';
import { apiPath } from '../openbao/path.ts';
import { callAsDaemon, closeSession, type OpenBaoSession, sessionReady } from '../openbao/session.ts';
import { MEND_LOGIN, refusedLogin } from '../openbao/token-source.ts';
import { parseCertificate } from '../ssh/certificate.ts';
import { type PublicKey, parsePublicKeyLine } from '../ssh/public-key.ts';
import type { AuthorityKey, CertificateAuthority, CertifyContext } from './certificate-authority.ts';
import { criticalOptionsOf, extensionsOf } from './certificate-fields.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import { readKeyFile } from './key-file.ts';
import { errorOfOpenBao, unwantedExtensions } from './openbao-refusal.ts';

export interface SshEngineSettings {
  readonly mount: string;
  readonly roles: Readonly<Record<ActorType, string>>;
  /** Null or absent: it signs for no host. */
  readonly host_role?: string | null;
  /** File of the CA's public key. */
  readonly ca_public_key: string;
}

export interface OpenBaoAuthorityOptions {
  readonly session: OpenBaoSession;
  readonly ssh: Pick<SshEngineSettings, 'mount' | 'roles' | 'host_role'>;
  /** The CA's key as pinned; its comment says whether it is synthetic. */
  readonly caKey: PublicKey;
  /** True: somebody else uses the session, too, and ends it. */
  readonly shared?: boolean;
}

const Signed = z.object({ signed_key: z.string().max(65_536) });

/** OpenBao's SSH engine as certificate authority. The key is never here; what comes back is held against the pinned one. */
export class OpenBaoAuthority implements CertificateAuthority {
  readonly backend = 'openbao';
  readonly takesSerial = false;
  readonly certifiesHosts: boolean;
  readonly #options: OpenBaoAuthorityOptions;
  readonly #keys: readonly AuthorityKey[];

  constructor(options: OpenBaoAuthorityOptions) {
    const { caKey } = options;
    this.#options = options;
    this.certifiesHosts = typeof options.ssh.host_role === 'string';
    this.#keys = [{ publicKey: caKey, comment: caKey.comment, state: 'current', custody: 'openbao' }];
  }

  keys(): readonly AuthorityKey[] {
    return this.#keys;
  }

  async certify(plan: CertificatePlan, context: CertifyContext): Promise<Buffer> {
    const { session, ssh } = this.#options;
    const role = roleOf(plan, ssh);
    const path = apiPath(ssh.mount, 'sign', role);
    context.note?.({ openbao_path: path });
    try {
      const answer = await callAsDaemon(session, {
        method: 'POST',
        path,
        body: signBody(plan),
        correlation: context.correlation,
        signal: context.signal,
      });
      context.note?.({
        ...(answer.requestId === '' ? {} : { openbao_request_id: answer.requestId }),
        ...(answer.tokenAccessor === '' ? {} : { token_accessor: answer.tokenAccessor }),
      });
      const blob = readSigned(answer.data);
      checkRoleAddsNothing(blob, plan, role);
      return blob;
    } catch (error) {
      throw errorOfOpenBao(error, { mount: ssh.mount, role });
    }
  }

  async ready(): Promise<void> {
    const { session } = this.#options;
    try {
      await sessionReady(session);
    } catch (error) {
      const login = session.tokens.status();
      if (login.state === 'refused') {
        throw new WardenError('ca_refused', refusedLogin(login), { hint: MEND_LOGIN, cause: error });
      }
      throw errorOfOpenBao(error, { mount: this.#options.ssh.mount, role: '' });
    }
  }

  retry(): void {
    this.#options.session.tokens.retry();
  }

  async close(): Promise<void> {
    const { session, shared = false } = this.#options;
    if (!shared) await closeSession(session);
  }
}

function roleOf({ actorType, openbaoRole }: CertificatePlan, ssh: OpenBaoAuthorityOptions['ssh']): string {
  if (actorType !== 'host') return openbaoRole ?? ssh.roles[actorType];
  if (typeof ssh.host_role === 'string') return ssh.host_role;
  throw new WardenError('host_unsupported', 'the authority has no role that signs for hosts');
}

/** Exactly what was planned. The engine's serial is its own, and its window begins at a time of its own. */
function signBody(plan: CertificatePlan) {
  return {
    public_key: `${plan.publicKey.algorithm} ${plan.publicKey.blob.toString('base64')}`,
    // Names hold no comma: the plan has seen to it.
    valid_principals: plan.principals.join(','),
    ttl: `${plan.ttlSeconds}s`,
    cert_type: plan.kind,
    key_id: plan.keyId,
    critical_options: Object.fromEntries(criticalOptionsOf(plan.options)),
    extensions: Object.fromEntries(extensionsOf(plan.options)),
  };
}

function readSigned(data: unknown): Buffer {
  const parsed = Signed.safeParse(data);
  const base64 = parsed.success
    ? /^[a-z0-9@.-]+ ([A-Za-z0-9+/]+={0,2})\s*$/.exec(parsed.data.signed_key)?.[1]
    : undefined;
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  throw new OpenBaoFault('answer', 'the answer of the SSH engine holds no certificate');
}

/** A mismatch is never released, whatever its cause; this one has a cause that an operator can mend. */
function checkRoleAddsNothing(blob: Buffer, plan: CertificatePlan, role: string): void {
  let extra: string | null;
  try {
    extra = unwantedExtensions(parseCertificate(blob), plan);
  } catch {
    // The check of what was issued says what is wrong with it.
    return;
  }
  if (extra === null) return;
  throw new WardenError('ca_refused', `role ${role} of the SSH engine adds ${extra} to the certificate`, {
    hint: `empty ${extra.startsWith('option') ? 'default_critical_options' : 'default_extensions'} of the role: warden openbao setup --dry-run`,
  });
}

/** The CA's public key as pinned in a file. @throws WardenError config_invalid | public_key_… naming the file */
export async function readPinnedKey(path: string, uid: number): Promise<PublicKey> {
  try {
    const file = await readKeyFile(path, uid);
    file.guard('public');
    return parsePublicKeyLine(file.bytes.toString('utf8'));
  } catch (error) {
    const known = asWardenError(error);
    const message = known.message.startsWith(path) ? known.message : `${path}: ${known.message}`;
    throw new WardenError(known.code === 'internal' ? 'internal' : 'config_invalid', message, {
      hint: `openbao.ssh.ca_public_key wants the CA's public key, from someone you trust: warden openbao setup --apply writes it`,
      cause: error,
    });
  }
}
