import type { CertificateOptions } from '../inventory/actor.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { WardenError } from '../kernel/errors.ts';
import { KEY_TYPES } from '../ssh/key-types.ts';
import type { PublicKey } from '../ssh/public-key.ts';
import { BACKDATE_SECONDS, type DraftPlan, MAX_TTL_SECONDS } from './plan.ts';
import { shown } from './shown.ts';

export interface HostPlanInput {
  readonly host: string;
  /** The names that the inventory lets the host have. */
  readonly allowed: readonly string[];
  /** Default and maximum, in seconds. */
  readonly maxTtlSeconds: number;
  readonly publicKey: PublicKey;
  /** Some of `allowed`; none means all of them. */
  readonly principals: readonly string[];
  /** Whole seconds; 0 is the default. */
  readonly ttlSeconds: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly requestId: string;
}

const NO_OPTIONS: CertificateOptions = {
  sourceAddress: null,
  forceCommand: null,
  verifyRequired: false,
  extensions: [],
};

/**
 * What a host's certificate would say, short of key id and serial.
 * @throws WardenError disallowed_principal | public_key_unsupported | invalid_request
 */
export function planHostCertificate(input: HostPlanInput): DraftPlan {
  const { host, publicKey } = input;
  if (KEY_TYPES[publicKey.algorithm].sk) {
    throw new WardenError(
      'public_key_unsupported',
      `a ${publicKey.algorithm} key is no key for a host: sshd cannot use it`,
      {
        hint: 'give the key that sshd has: /etc/ssh/ssh_host_ed25519_key.pub',
      },
    );
  }
  if (input.ttlSeconds > MAX_TTL_SECONDS) throw new WardenError('invalid_request', 'the TTL is above 100 years');
  const ttlSeconds = input.ttlSeconds === 0 ? input.maxTtlSeconds : input.ttlSeconds;
  const now = Math.floor(input.now / 1000);
  return {
    publicKey,
    kind: 'host',
    actor: `host:${host}`,
    actorType: 'host',
    keyId: '',
    principals: choose(input),
    validAfter: BigInt(Math.max(0, now - BACKDATE_SECONDS)),
    validBefore: BigInt(now + ttlSeconds),
    ttlSeconds,
    options: NO_OPTIONS,
    serial: null,
    requestId: input.requestId,
  };
}

/** After the gate, as for actors. @throws WardenError ttl_out_of_bounds */
export function checkHostTtl({ ttlSeconds }: Pick<DraftPlan, 'ttlSeconds'>, host: string, maxTtlSeconds: number): void {
  if (ttlSeconds <= maxTtlSeconds) return;
  const most = formatSeconds(maxTtlSeconds);
  throw new WardenError(
    'ttl_out_of_bounds',
    `${formatSeconds(ttlSeconds)} is above the maximum of ${most} for ${host}`,
    {
      hint: `ask for at most ${most}; host_certificate.ttl_hours of the host in inventory.yaml sets it`,
    },
  );
}

function choose({ host, allowed, principals }: HostPlanInput): readonly string[] {
  const chosen = principals.length === 0 ? allowed : principals;
  // Without names it would vouch for every host.
  if (chosen.length === 0) throw new WardenError('disallowed_principal', `${host} has no names`);
  for (const name of chosen) {
    if (!allowed.includes(name)) {
      throw new WardenError('disallowed_principal', `${shown(name)} is not among the names of ${host}`, {
        hint: 'host_certificate.principals of the host in inventory.yaml lists them',
      });
    }
  }
  if (new Set(chosen).size === chosen.length) return [...chosen];
  throw new WardenError('invalid_request', 'a name is asked for twice', { hint: 'name each once' });
}
