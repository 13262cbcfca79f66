import type { Selector } from '../callers/caller.ts';
import type { Actor, Host } from '../inventory/actor.ts';
import { QUOTA_KINDS, type QuotaKind } from '../inventory/quota.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { sameContent } from './frozen.ts';

/** What changed of one actor, a phrase each; most weighty first. */
export function describeActor(before: Actor, after: Actor): readonly string[] {
  return [
    ...changed('type', before.type, after.type),
    ...gainedAndLost('principal', before.principals, after.principals),
    ...changed('maximum TTL', formatSeconds(before.maxTtlSeconds), formatSeconds(after.maxTtlSeconds)),
    ...changed('default TTL', formatSeconds(before.ttlSeconds), formatSeconds(after.ttlSeconds)),
    ...callersChanges(before.callers, after.callers),
    ...gainedAndLost('subject', before.allowedSubjects, after.allowedSubjects),
    ...changed('maturity', before.maturity, after.maturity),
    ...changed('tenant', before.tenant, after.tenant),
    ...gainedAndLost('extension', before.options.extensions, after.options.extensions),
    ...changed('source-address', before.options.sourceAddress ?? 'any', after.options.sourceAddress ?? 'any'),
    ...changed('force-command', before.options.forceCommand ?? 'none', after.options.forceCommand ?? 'none'),
    ...changed('verify-required', onOff(before.options.verifyRequired), onOff(after.options.verifyRequired)),
    ...changed('openbao_role', before.openbaoRole ?? 'none', after.openbaoRole ?? 'none'),
    ...QUOTA_KINDS.flatMap((kind) => changed(`quota of ${kind}`, perDay(before, kind), perDay(after, kind))),
  ];
}

function perDay({ quota }: Actor, kind: QuotaKind): string {
  const limit = quota?.[kind];
  return limit === undefined ? 'none' : `${limit}/d`;
}

export function describeHost(before: Host, after: Host): readonly string[] {
  const was = before.hostCertificate;
  const is = after.hostCertificate;
  return [
    ...gainedAndLost('address', before.addresses, after.addresses),
    ...changed('purpose', before.purpose, after.purpose),
    ...(was === null && is !== null ? ['may have a host certificate'] : []),
    ...(was !== null && is === null ? ['may no longer have a host certificate'] : []),
    ...gainedAndLost('certificate principal', was?.principals ?? [], is?.principals ?? []),
    ...(was !== null && is !== null
      ? changed('certificate TTL', formatSeconds(was.ttlSeconds), formatSeconds(is.ttlSeconds))
      : []),
  ];
}

/** `callers:` of an actor: absent admits the daemon's own uid alone. */
export function callersChanges(
  before: readonly Selector[] | null,
  after: readonly Selector[] | null,
): readonly string[] {
  const daemon = "the daemon's own uid";
  return [
    ...(before !== null && after === null ? [`${daemon} may ask`] : []),
    ...(before === null && after !== null ? [`${daemon} as such no longer may ask`] : []),
    ...selectorChanges(before ?? [], after ?? []),
  ];
}

export function selectorChanges(
  before: readonly Selector[],
  after: readonly Selector[],
  may = 'may ask',
): readonly string[] {
  const added = after.filter((one) => !before.some((other) => sameContent(one, other)));
  const removed = before.filter((one) => !after.some((other) => sameContent(one, other)));
  return [
    ...added.map((one) => `${selectorWords(one)} ${may}`),
    ...removed.map((one) => `${selectorWords(one)} no longer ${may}`),
  ];
}

/** `uid 1000 with unit foo.service`. */
function selectorWords(selector: Selector): string {
  const parts = [
    ...(selector.uid === undefined ? [] : [`uid ${selector.uid}`]),
    ...(selector.gid === undefined ? [] : [`gid ${selector.gid}`]),
    ...(selector.unit === undefined ? [] : [`unit ${selector.unit}`]),
    ...(selector.userUnit === undefined ? [] : [`user unit ${selector.userUnit}`]),
    ...(selector.exe === undefined ? [] : [`executable ${selector.exe}`]),
    ...(selector.exeSha256 === undefined ? [] : [`executable SHA-256 ${selector.exeSha256.slice(0, 12)}…`]),
  ];
  return parts.join(' with ');
}

export function changed(what: string, before: string, after: string): readonly string[] {
  return before === after ? [] : [`${what} ${before} → ${after}`];
}

export function gainedAndLost(what: string, before: readonly string[], after: readonly string[]): readonly string[] {
  const old = new Set(before);
  const now = new Set(after);
  return [
    ...after.filter((one) => !old.has(one)).map((one) => `gained ${what} ${one}`),
    ...before.filter((one) => !now.has(one)).map((one) => `lost ${what} ${one}`),
  ];
}

export function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
