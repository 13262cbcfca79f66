import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { asWardenError } from '../../kernel/errors.ts';
import type { CertificateAuthority } from '../../signing/certificate-authority.ts';
import { LocalAuthority } from '../../signing/local-authority.ts';
import { formatCertificateLine } from '../../ssh/certificate.ts';
import { generateKeyPair } from '../../ssh/generate-key.ts';
import { type PublicKey, parsePublicKeyLine } from '../../ssh/public-key.ts';
import {
  type DoubleRequest,
  envelope,
  failed,
  map,
  NO_CONTENT,
  NOTHING,
  names,
  type Reply,
  seconds,
  synthetic,
  text,
  UNSUPPORTED_OPERATION,
  UNSUPPORTED_PATH,
} from './reply.ts';

interface Role {
  readonly allow_user_certificates: boolean;
  readonly allow_host_certificates: boolean;
  readonly allow_user_key_ids: boolean;
  readonly allowed_users: string;
  readonly allowed_critical_options: string;
  readonly allowed_extensions: string;
  readonly allowed_user_key_lengths: Readonly<Record<string, unknown>>;
  readonly default_critical_options: Readonly<Record<string, string>>;
  readonly default_extensions: Readonly<Record<string, string>>;
  readonly max_ttl: number;
  readonly ttl: number;
  readonly not_before_duration: number;
}

const NO_CA = failed(400, 'no default issuer currently configured');
const MAX_LEASE = 2_764_800;

/** The SSH engine as far as certificates go. Its CA is a synthetic one, whose comment says so. */
export class SshEngine {
  readonly #roles = new Map<string, Role>();
  readonly #clock: Pick<Clock, 'now'>;
  #authority: CertificateAuthority | null;
  #issuer = randomUUID();

  constructor(clock: Pick<Clock, 'now'>, authority: CertificateAuthority | null) {
    this.#clock = clock;
    this.#authority = authority;
  }

  async handle({ method, body }: DoubleRequest, path: string): Promise<Reply> {
    const [head = '', name = ''] = path.split('/');
    if (path === 'config/ca') return method === 'POST' ? await this.#makeCa(body) : this.#ca();
    if (path === 'public_key') return this.#authority === null ? NO_CA : { status: 200, body: this.#publicKey() };
    if (path === 'roles' && method === 'LIST') return this.#list();
    if (head === 'roles' && name !== '') return this.#role(method, name, body);
    if (head === 'sign' && name !== '') {
      return method === 'POST' ? await this.#sign(name, body) : UNSUPPORTED_OPERATION;
    }
    return UNSUPPORTED_PATH;
  }

  #publicKey(): string {
    const [key] = this.#authority?.keys() ?? [];
    return key === undefined ? '' : `${key.publicKey.algorithm} ${key.publicKey.blob.toString('base64')}\n`;
  }

  #ca(): Reply {
    if (this.#authority === null) return NO_CA;
    return envelope({ issuer_id: this.#issuer, issuer_name: '', public_key: this.#publicKey() });
  }

  async #makeCa(body: Readonly<Record<string, unknown>>): Promise<Reply> {
    if (body.generate_signing_key === false) return failed(400, 'missing public_key');
    const key = await generateKeyPair('ed25519', synthetic('ca'));
    this.#authority = new LocalAuthority({ key, custody: 'memory', backend: 'synthetic' });
    this.#issuer = randomUUID();
    return this.#ca();
  }

  #list(): Reply {
    if (this.#roles.size === 0) return NOTHING;
    const keys = [...this.#roles.keys()].sort();
    const info = Object.fromEntries(keys.map((name) => [name, { issuer_ref: 'default', key_type: 'ca' }]));
    return envelope({ key_info: info, keys });
  }

  #role(method: DoubleRequest['method'], name: string, body: Readonly<Record<string, unknown>>): Reply {
    if (method === 'DELETE') {
      this.#roles.delete(name);
      return NO_CONTENT;
    }
    const role = this.#roles.get(name);
    if (method === 'GET') return role === undefined ? NOTHING : envelope(shown(role));
    if (method !== 'POST') return UNSUPPORTED_OPERATION;
    if (body.key_type !== 'ca') return failed(400, 'missing default user');
    const made = roleFrom(body);
    if (made.max_ttl > 0 && made.ttl > made.max_ttl) {
      return failed(400, '"ttl" value must be less than "max_ttl" when both are specified');
    }
    this.#roles.set(name, made);
    return NO_CONTENT;
  }

  async #sign(name: string, body: Readonly<Record<string, unknown>>): Promise<Reply> {
    const role = this.#roles.get(name);
    if (role === undefined) return failed(400, `Unknown role: ${name}`);
    if (text(body.public_key) === '') return failed(400, 'missing public_key');
    let publicKey: PublicKey;
    try {
      publicKey = parsePublicKeyLine(text(body.public_key));
    } catch (error) {
      return failed(400, `failed to parse public_key as SSH key: ${asWardenError(error).message}`);
    }
    const wish = judge(role, publicKey, body);
    if (typeof wish === 'string') return failed(400, wish);
    if (this.#authority === null) return NO_CA;
    const now = Math.floor(this.#clock.now() / 1000);
    const serial = randomBytes(8).readBigUInt64BE() | 1n;
    const blob = await this.#authority.certify(
      {
        ...wish,
        publicKey,
        actor: '',
        actorType: 'agt',
        validAfter: BigInt(now - role.not_before_duration),
        validBefore: BigInt(now + wish.ttlSeconds),
        serial,
      },
      { requestId: '' },
    );
    return envelope({
      issuer_id: this.#issuer,
      serial_number: serial.toString(16).padStart(16, '0'),
      signed_key: `${formatCertificateLine(blob, '').trim()}\n`,
    });
  }
}

/** What the certificate would say, or the sentence that refuses it. In OpenBao's order. */
function judge(role: Role, publicKey: PublicKey, body: Readonly<Record<string, unknown>>) {
  const lengths = Object.keys(role.allowed_user_key_lengths);
  const type = keyTypeOf(publicKey.algorithm);
  if (lengths.length > 0 && !lengths.includes(type)) {
    return `public_key failed to meet the key requirements: key of type ${type} is not allowed`;
  }
  const keyId = text(body.key_id);
  if (keyId !== '' && !role.allow_user_key_ids) return 'setting key_id is not allowed by role';
  const kind = text(body.cert_type) === 'host' ? 'host' : 'user';
  if (!(kind === 'user' ? role.allow_user_certificates : role.allow_host_certificates)) {
    return `cert_type '${kind}' is not allowed by role`;
  }
  const principals = names(body.valid_principals);
  const allowed = names(role.allowed_users);
  if (allowed.length === 0) return 'role is not configured to allow any principals';
  const strange = principals.find((name) => !allowed.includes('*') && !allowed.includes(name));
  if (strange !== undefined) return `${strange} is not a valid value for valid_principals`;
  const most = role.max_ttl > 0 ? role.max_ttl : MAX_LEASE;
  const ttlSeconds = seconds(body.ttl) || role.ttl || most;
  if (ttlSeconds > most) return `ttl is larger than maximum allowed ${most}`;
  const critical =
    Object.keys(map(body.critical_options)).length > 0 ? map(body.critical_options) : role.default_critical_options;
  const options = Object.keys(critical);
  const listed = names(role.allowed_critical_options);
  // The engine's quirk: an empty list permits any option, and no extension at all.
  const foreign = options.filter((name) => listed.length > 0 && !listed.includes(name));
  const unknown = options.filter((name) => !['force-command', 'source-address', 'verify-required'].includes(name));
  if (foreign.length + unknown.length > 0) {
    return `critical options not on allowed list: [${[...new Set([...foreign, ...unknown])].join(' ')}]`;
  }
  const asked = Object.keys(map(body.extensions));
  const known = names(role.allowed_extensions);
  const refused = asked.filter((name) => !known.includes('*') && !known.includes(name));
  if (refused.length > 0) return `extensions [${refused.join(' ')}] are not on allowed list`;
  const extensions = asked.length > 0 ? asked : Object.keys(role.default_extensions);
  return {
    kind: kind as 'user' | 'host',
    principals,
    ttlSeconds,
    keyId: keyId || `vault-token-${createHash('sha256').update(publicKey.blob).digest('hex')}`,
    options: {
      sourceAddress: critical['source-address'] ?? null,
      forceCommand: critical['force-command'] ?? null,
      verifyRequired: 'verify-required' in critical,
      extensions: extensions.sort(),
    },
  };
}

function keyTypeOf(algorithm: string): string {
  if (algorithm === 'ssh-rsa') return 'rsa';
  if (algorithm.includes('ed25519')) return 'ed25519';
  return 'ecdsa';
}

function roleFrom(body: Readonly<Record<string, unknown>>): Role {
  const flag = (name: string): boolean => body[name] === true;
  return {
    allow_user_certificates: flag('allow_user_certificates'),
    allow_host_certificates: flag('allow_host_certificates'),
    allow_user_key_ids: flag('allow_user_key_ids'),
    allowed_users: text(body.allowed_users),
    allowed_critical_options: text(body.allowed_critical_options),
    allowed_extensions: text(body.allowed_extensions),
    allowed_user_key_lengths: (body.allowed_user_key_lengths as Record<string, unknown> | undefined) ?? {},
    default_critical_options: map(body.default_critical_options),
    default_extensions: map(body.default_extensions),
    max_ttl: seconds(body.max_ttl),
    ttl: seconds(body.ttl),
    not_before_duration: seconds(body.not_before_duration) || 30,
  };
}

/** A role as it is read back: what the double does not have stands at OpenBao's default. */
function shown(role: Role): unknown {
  return {
    algorithm_signer: 'default',
    allow_bare_domains: false,
    allow_commas_in_identity_templates: false,
    allow_empty_principals: false,
    allow_host_certificates: role.allow_host_certificates,
    allow_subdomains: false,
    allow_user_certificates: role.allow_user_certificates,
    allow_user_key_ids: role.allow_user_key_ids,
    allow_wildcards_in_identity_templates: false,
    allowed_critical_options: role.allowed_critical_options,
    allowed_domains: '',
    allowed_domains_template: false,
    allowed_extensions: role.allowed_extensions,
    allowed_user_key_lengths: role.allowed_user_key_lengths,
    allowed_users: role.allowed_users,
    allowed_users_template: false,
    default_critical_options: role.default_critical_options,
    default_extensions: role.default_extensions,
    default_extensions_template: false,
    default_user: '',
    default_user_template: false,
    issuer_ref: 'default',
    key_id_format: '',
    key_type: 'ca',
    max_ttl: role.max_ttl,
    not_before_duration: role.not_before_duration,
    ttl: role.ttl,
  };
}
