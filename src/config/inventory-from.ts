import type { Actor, CertificateOptions, Host } from '../inventory/actor.ts';
import { defaultExtensions } from '../inventory/extensions.ts';
import { defaultSubjects, typeOfName } from '../inventory/names.ts';
import { parseQuota, QUOTA_KINDS, type Quota } from '../inventory/quota.ts';
import { sourceAddressFault } from '../inventory/source-address.ts';
import { effectiveTtls, hoursToSeconds, secondsToHours } from '../inventory/ttl-rules.ts';
import type { Facts } from './facts.ts';
import type { InventoryContext } from './parser.ts';
import type { Problems } from './problems.ts';
import type { RawActor, RawHost } from './schema/inventory.ts';
import { toSelectors } from './selectors.ts';

type Path = readonly PropertyKey[];

/** One actor's data with defaults applied; what breaks a rule is reported at its place. */
export function toActor(raw: RawActor, path: Path, context: InventoryContext, facts: Facts, problems: Problems): Actor {
  const prefix = typeOfName(raw.name);
  if (prefix !== raw.type) {
    problems.at(
      [...path, 'type'],
      `the name \`${raw.name}\` does not begin with its type \`${raw.type}-\``,
      `type: ${prefix ?? raw.type}, or a name such as ${raw.type}-example`,
    );
  }
  const allowedSubjects = raw.allowed_subjects ?? defaultSubjects(raw.name);
  if (!allowedSubjects.includes(raw.name)) {
    problems.warn(
      [...path, 'allowed_subjects'],
      `${raw.name} is not among its own subjects: callers must set WARDEN_POLICY_SUBJECT`,
    );
  }
  if (raw.callers?.length === 0)
    problems.warn([...path, 'callers'], `callers is empty: nobody may ask for ${raw.name}`);
  return {
    name: raw.name,
    type: raw.type,
    principals: raw.principals,
    ...toTtls(raw, path, context, problems),
    maturity: raw.maturity,
    tenant: raw.tenant ?? context.tenant,
    allowedSubjects,
    callers: raw.callers === undefined ? null : toSelectors(raw.callers, [...path, 'callers'], facts, problems),
    options: toOptions(raw, [...path, 'options'], problems),
    openbaoRole: raw.openbao_role,
    ...(raw.quota === undefined ? {} : { quota: toQuota(raw.quota) }),
  };
}

function toQuota(raw: NonNullable<RawActor['quota']>): Quota {
  const limits = QUOTA_KINDS.flatMap((kind) => {
    const limit = parseQuota(raw[kind] ?? '');
    return limit === null ? [] : [[kind, limit] as const];
  });
  return Object.fromEntries(limits);
}

function toTtls(
  raw: RawActor,
  path: Path,
  context: InventoryContext,
  problems: Problems,
): Pick<Actor, 'ttlSeconds' | 'maxTtlSeconds'> {
  const ceiling = context.ceilingsSeconds?.[raw.type] ?? Number.POSITIVE_INFINITY;
  const written = {
    ttlSeconds: raw.ttl_hours === undefined ? undefined : hoursToSeconds(raw.ttl_hours),
    maxTtlSeconds: raw.max_ttl_hours === undefined ? undefined : hoursToSeconds(raw.max_ttl_hours),
  };
  const ttls = effectiveTtls(written, ceiling);
  const ceilingText = `${secondsToHours(ceiling)}`;
  if (ttls.maxTtlSeconds > ceiling) {
    problems.at(
      [...path, 'max_ttl_hours'],
      `max_ttl_hours is above the ceiling of ${ceilingText} h for \`${raw.type}\``,
      `max_ttl_hours: ${ceilingText}, or a higher ttl_ceilings_hours in warden.yaml`,
    );
  }
  if (written.ttlSeconds !== undefined && written.ttlSeconds > ttls.maxTtlSeconds) {
    const most = secondsToHours(Math.min(ttls.maxTtlSeconds, ceiling));
    const bound =
      written.maxTtlSeconds === undefined ? `the ceiling of ${ceilingText} h for \`${raw.type}\`` : 'max_ttl_hours';
    problems.at([...path, 'ttl_hours'], `ttl_hours is above ${bound}`, `ttl_hours: ${most}`);
  }
  return ttls;
}

function toOptions(raw: RawActor, path: Path, problems: Problems): CertificateOptions {
  const sourceAddress = raw.options['source-address'];
  const fault = sourceAddress === null ? null : sourceAddressFault(sourceAddress);
  if (fault !== null) problems.at([...path, 'source-address'], fault.message, fault.hint);
  return {
    sourceAddress,
    forceCommand: raw.options['force-command'],
    verifyRequired: raw.options['verify-required'],
    extensions: [...(raw.options.extensions ?? defaultExtensions(raw.type))].sort(),
  };
}

export function toHost(raw: RawHost, path: Path, facts: Facts, problems: Problems): Host {
  const certificate = raw.host_certificate;
  return {
    name: raw.name,
    addresses: raw.addresses,
    purpose: raw.purpose,
    hostCertificate:
      certificate === null
        ? null
        : {
            principals: certificate.principals,
            ttlSeconds: hoursToSeconds(certificate.ttl_hours),
            callers: toSelectors(certificate.callers, [...path, 'host_certificate', 'callers'], facts, problems),
          },
  };
}
