import type { Snapshot } from '../../src/config/snapshot.ts';
import type { WrittenCa } from './edit-ca.ts';

/** Where a roll of the CA key stands. */
export type Stage = 'none' | 'begun' | 'switched';

export function stageOf(ca: WrittenCa): Stage {
  if (ca.next !== null) return 'begun';
  return ca.retired.length > 0 ? 'switched' : 'none';
}

/** `20261125T192500Z`: sorts as time does, and may stand in a file name. */
export function stamp(now: number): string {
  return new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
}

/** The moment in the name of a file that a switch made, in milliseconds since the epoch; null where there is none. */
export function retiredAt(setting: string): number | null {
  const [, y, mo, d, h, mi, s] = /-retired-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.pub$/.exec(setting) ?? [];
  const time = y === undefined ? Number.NaN : Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  return Number.isNaN(time) ? null : time;
}

/** The longest that a certificate may last by this config, in milliseconds. */
export function longestLifeMs({ actors, hosts, settings }: Snapshot): number {
  const ofActors = [...actors.values()].map(({ type, maxTtlSeconds }) =>
    Math.min(maxTtlSeconds, settings.ttlCeilingsSeconds[type]),
  );
  const ofHosts = hosts.map(({ hostCertificate }) => hostCertificate?.ttlSeconds ?? 0);
  return Math.max(0, ...ofActors, ...ofHosts) * 1000;
}
