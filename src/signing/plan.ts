import type { Actor, ActorType } from '../inventory/actor.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { WardenError } from '../kernel/errors.ts';
import { KEY_TYPES } from '../ssh/key-types.ts';
import type { PublicKey } from '../ssh/public-key.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import { checkActorName } from './key-id.ts';
import { shown } from './shown.ts';

/** Validity begins this many seconds in the past, for hosts whose clock is behind. They do not count into the TTL. */
export const BACKDATE_SECONDS = 60;

/** Above this a TTL is a mistake in the request and not a wish that a gate should judge: 100 years. */
export const MAX_TTL_SECONDS = 100 * 365.25 * 86_400;

/** What OpenSSH reads at most (SSHKEY_CERT_MAX_PRINCIPALS): a certificate with more is refused by every sshd. */
const MAX_PRINCIPALS = 256;

export interface PlanInput {
  readonly actor: Actor;
  readonly publicKey: PublicKey;
  /** A subset of the actor's principals; none means all of them. */
  readonly principals: readonly string[];
  /** Whole seconds; 0 is the actor's default. */
  readonly ttlSeconds: number | bigint;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly requestId: string;
}

/** A plan before the gate: `keyId` is "" and `serial` null until `finishPlan`, and no authority takes it like that. */
export interface DraftPlan extends CertificatePlan {
  readonly requestId: string;
}

/**
 * What the certificate would say, short of key id and serial. The TTL is taken as asked: the gate judges it
 * first, `checkCeiling` afterwards.
 * @throws WardenError disallowed_principal | public_key_unsupported | invalid_request | config_invalid
 */
export function planCertificate(input: PlanInput): DraftPlan {
  const { actor } = input;
  checkActorName(actor.name);
  checkCanVerify(actor, input.publicKey);
  const principals = choosePrincipals(actor, input.principals);
  const ttlSeconds = chooseTtl(actor, input.ttlSeconds);
  const now = Math.floor(input.now / 1000);
  return {
    publicKey: input.publicKey,
    kind: 'user',
    actor: actor.name,
    actorType: actor.type,
    keyId: '',
    principals,
    validAfter: BigInt(Math.max(0, now - BACKDATE_SECONDS)),
    validBefore: BigInt(now + ttlSeconds),
    ttlSeconds,
    options: actor.options,
    serial: null,
    ...(actor.openbaoRole === null ? {} : { openbaoRole: actor.openbaoRole }),
    requestId: input.requestId,
  };
}

/**
 * The local ceiling, whatever the gate said: refused, never clamped.
 * @throws WardenError ttl_out_of_bounds
 */
export function checkCeiling(
  plan: Pick<CertificatePlan, 'ttlSeconds'>,
  actor: Pick<Actor, 'name' | 'type' | 'maxTtlSeconds'>,
  ceilings: Readonly<Record<ActorType, number>>,
): void {
  const ceiling = ceilings[actor.type];
  const maximum = Math.min(actor.maxTtlSeconds, ceiling);
  // Written so that a limit which is no number refuses instead of admitting.
  if (plan.ttlSeconds <= maximum) return;
  const asked = formatSeconds(plan.ttlSeconds);
  const most = formatSeconds(maximum);
  if (actor.maxTtlSeconds <= ceiling) {
    throw new WardenError('ttl_out_of_bounds', `${asked} is above the maximum of ${most} for ${actor.name}`, {
      hint: `ask for at most ${most}; max_ttl_hours of the actor in inventory.yaml sets it`,
    });
  }
  throw new WardenError('ttl_out_of_bounds', `${asked} is above the ceiling of ${most} for type ${actor.type}`, {
    hint: `ask for at most ${most}; ttl_ceilings_hours in warden.yaml sets it`,
  });
}

/** Seconds as the gate and the ledger take them: hours, fractions allowed, and never rounded down below what was asked. */
export function ttlHours(seconds: number): number {
  return seconds / 3600;
}

/**
 * sshd asks verify-required of security keys alone and lets every other key in, so for those the certificate
 * would not hold what the inventory demands: a program could make itself such a key.
 */
function checkCanVerify(actor: Actor, publicKey: PublicKey): void {
  if (!actor.options.verifyRequired || KEY_TYPES[publicKey.algorithm].sk) return;
  throw new WardenError(
    'public_key_unsupported',
    `${actor.name} needs a security key that verifies its user, and this is a ${publicKey.algorithm} key`,
    { hint: 'make one: ssh-keygen -t ed25519-sk -O verify-required' },
  );
}

function choosePrincipals(actor: Actor, requested: readonly string[]): readonly string[] {
  const chosen = requested.length === 0 ? actor.principals : requested;
  // An empty list in a certificate means "any principal" to some servers (CVE-2024-7594).
  if (chosen.length === 0) {
    throw new WardenError('disallowed_principal', `${actor.name} has no principals`, {
      hint: 'give the actor principals in inventory.yaml',
    });
  }
  const seen = new Set<string>();
  for (const principal of chosen) {
    // A comma would make two principals of one wherever lists are joined (GHSA-59w7-v8rr-pr4p).
    if (!actor.principals.includes(principal) || !/^[^\s,\p{C}]+$/u.test(principal)) {
      throw new WardenError(
        'disallowed_principal',
        `principal ${shown(principal)} is not among the principals of ${actor.name}`,
      );
    }
    if (seen.has(principal)) {
      throw new WardenError('invalid_request', `principal ${shown(principal)} is asked for twice`, {
        hint: 'name each principal once',
      });
    }
    seen.add(principal);
  }
  if (chosen.length > MAX_PRINCIPALS) {
    throw new WardenError(
      'disallowed_principal',
      `${chosen.length} principals are more than the ${MAX_PRINCIPALS} that OpenSSH reads`,
      { hint: 'ask for fewer: --principal P' },
    );
  }
  return [...chosen];
}

function chooseTtl(actor: Actor, asked: number | bigint): number {
  const seconds = Number(asked);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_TTL_SECONDS) {
    throw new WardenError('invalid_request', 'the TTL is not a whole number of seconds within 100 years', {
      hint: 'give a duration such as 90m or 8h, or a number of hours',
    });
  }
  return seconds === 0 ? actor.ttlSeconds : seconds;
}
