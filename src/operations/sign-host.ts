import type { Host, HostCertificate } from '../inventory/actor.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { hostQuestion } from '../policy/question.ts';
import { ttlHours } from '../signing/plan.ts';
import { checkHostTtl, planHostCertificate } from '../signing/plan-host.ts';
import { checkAuthorityPosture } from '../signing/posture-rule.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { parsePublicKeyLine } from '../ssh/public-key.ts';
import { askGate } from './ask-gate.ts';
import { callerMatches, isAdministrator } from './authorised-actor.ts';
import { checkPurpose } from './check-purpose.ts';
import type { RequestContext } from './context.ts';
import { issueCertificate } from './issue-certificate.ts';
import type { SignOutput } from './sign.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

export interface SignHostInput {
  readonly host: string;
  readonly publicKey: string;
  /** Seconds; 0 is the host's own. */
  readonly ttlSeconds: number;
  readonly principals: readonly string[];
  readonly reason: string;
  readonly ticket: string;
}

/**
 * One host certificate, from request to release, as `sign` does it for actors: nothing below a line runs unless
 * every line above it held, and nothing is released that is not durable in the ledger.
 */
export async function signHost(input: SignHostInput, context: RequestContext): Promise<SignOutput> {
  const { world, services, requestId } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('host', context);
  try {
    trail.note({
      actor: input.host,
      ...(input.reason === '' ? {} : { user_reason: input.reason }),
      ...(input.ticket === '' ? {} : { ticket: input.ticket }),
    });
    const publicKey = parsePublicKeyLine(input.publicKey);
    const keyFingerprint = fingerprint(publicKey.blob);
    trail.note({ fingerprint: keyFingerprint });

    const { host, rule } = await authorisedHost(input.host, context);
    checkStanding({ actor: host.name, fingerprint: keyFingerprint }, context);
    const { tenant, system } = settings.policy;
    trail.note({ actor_type: 'host', tenant, backend: world.authority.backend });

    const plan = planHostCertificate({
      host: host.name,
      allowed: rule.principals,
      maxTtlSeconds: rule.ttlSeconds,
      publicKey,
      principals: input.principals,
      ttlSeconds: input.ttlSeconds,
      now: services.clock.now(),
      requestId,
    });
    trail.note({ principals: plan.principals, ttl_hours: ttlHours(plan.ttlSeconds) });

    checkAuthorityPosture(settings.posture, world.authority.keys());
    checkPurpose('host', world.authority);

    const { reason, ticket } = input;
    const { principals, ttlSeconds } = plan;
    const asked = {
      tenant,
      system,
      principals,
      fingerprint: keyFingerprint,
      ttlHours: ttlHours(ttlSeconds),
      reason,
      ticket,
    };
    trail.note({ subject: `host:${host.name}` });
    const gate = await askGate(hostQuestion(host.name, asked), context, trail, 'host');
    checkHostTtl(plan, host.name, rule.ttlSeconds);

    const issued = await issueCertificate(plan, gate, context, trail);
    return { ...issued, fingerprint: keyFingerprint, ttlSeconds, gate, backend: world.authority.backend };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}

/**
 * The host, if this caller may have its certificate. The refusal is that of an actor, byte for byte, whether the host
 * is missing, has no certificate or merely does not name this caller.
 * @throws WardenError caller_not_allowed
 */
async function authorisedHost(name: string, context: RequestContext): Promise<{ host: Host; rule: HostCertificate }> {
  const host = context.world.snapshot.hosts.find((one) => one.name === name);
  const rule = host?.hostCertificate ?? null;
  const matches = await callerMatches(rule?.callers ?? [], context);
  if (host !== undefined && rule !== null && matches) return { host, rule };
  const cause =
    host === undefined
      ? `no host ${name} in the inventory`
      : `${rule === null ? 'no host_certificate on' : 'no entry of host_certificate.callers matches on'} ${name}`;
  throw new WardenError('caller_not_allowed', 'this caller may not ask for that', {
    privateDetail: cause,
    ...((await isAdministrator(context)) ? { hint: `${cause}; see inventory.yaml` } : {}),
  });
}
