import type { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';

/**
 * What became different between two sightings of a daemon, in words, one sentence a line. Work done is no news:
 * `workLine` tells of it.
 */
export function changesBetween(before: StatusResponse, after: StatusResponse): string[] {
  const lines: string[] = [];
  if (before.pid !== after.pid || before.startedAt?.getTime() !== after.startedAt?.getTime())
    lines.push(`it was started again: pid ${before.pid} → ${after.pid}`);
  if (before.version !== after.version) lines.push(`version ${before.version} → ${after.version}`);
  if (before.posture !== after.posture) lines.push(`posture ${before.posture} → ${after.posture}`);
  if (before.backend !== after.backend) lines.push(`backend ${before.backend} → ${after.backend}`);
  const [old, now] = [before.snapshot, after.snapshot];
  if (old?.generation !== now?.generation || old?.hash !== now?.hash)
    lines.push(`config generation ${old?.generation ?? 0n} → ${now?.generation ?? 0n}`, ...(now?.changes ?? []));
  for (const problem of added(old?.problems, now?.problems)) lines.push(`not in force: ${problem}`);
  if ((old?.problems.length ?? 0) > 0 && now?.problems.length === 0) lines.push('the newest config is in force');
  for (const { name, state, detail } of after.dependencies) {
    const was = before.dependencies.find((one) => one.name === name);
    if (was?.state === state) continue;
    const why = state === 'not_serving' && detail !== '' ? `: ${detail}` : '';
    lines.push(`${name} ${words(was?.state ?? 'unknown')} → ${words(state)}${why}`);
  }
  if (before.policy?.breaker !== after.policy?.breaker)
    lines.push(`breaker ${words(before.policy?.breaker ?? '')} → ${words(after.policy?.breaker ?? '')}`);
  for (const notice of added(before.notices, after.notices)) lines.push(`note: ${notice}`);
  for (const notice of added(after.notices, before.notices)) lines.push(`no longer: ${notice}`);
  return lines;
}

/** The counts of a daemon in one line; the same text means that nothing was done. */
export function workLine(status: StatusResponse): string {
  const { certificatesIssued, refusals, connections, requestsInFlight, ledger } = status;
  return `${certificatesIssued} issued, ${refusals} refused, ${connections} connected, ${requestsInFlight} in flight, ledger record ${ledger?.seq ?? 0n}`;
}

function added(before: readonly string[] = [], after: readonly string[] = []): string[] {
  return after.filter((one) => !before.includes(one));
}

function words(state: string): string {
  return state.replaceAll('_', ' ');
}
